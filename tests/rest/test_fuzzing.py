"""Requests made up from the description: none fails, and every answer is one that is described."""

import asyncio
from typing import Any

import httpx2
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from ibex.auth import ALL, ALL_RIGHTS
from tests.fixtures import Database
from tests.operator import Operator
from tests.providers.stub import StubProvider
from tests.rest.api import Api
from tests.service import Service

_EXAMPLES = 8
_CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


@schemathesis.serializer("application/x-ndjson")
def lines(context: schemathesis.SerializationContext, value: Any) -> bytes:
    """What the description calls a text goes out as it is."""
    return str(value).encode("utf-8", "surrogatepass")


_UNLIMITED = {"token_rpm": 10**9, "agent_rpm": 10**9, "organization_rpm": 10**9}


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=lambda m: m.value)
async def test_no_request_that_can_be_made_up_makes_it_fail(
    database: Database, operator: Operator, stub_provider: StubProvider, mode: GenerationMode
) -> None:
    async with Service.start(
        database.service_dsn,
        database.redis_url,
        operator,
        stub_provider,
        kinds=("openai", "anthropic"),
        limits=_UNLIMITED,
    ) as service:
        issued = await operator.issue(service.org_id, ALL, None, platform=ALL_RIGHTS)
        there = await _resources(operator, service)
        async with httpx2.AsyncClient(base_url=service.url) as client:
            document = (await client.get("/openapi.json")).json()
        await asyncio.to_thread(_fuzz, document, service.url, issued.text, there, mode)


async def _resources(operator: Operator, service: Service) -> dict[str, str]:
    """Something that is there for every placeholder in a path."""
    actor = operator.actor(service.org_id)
    token = await operator.token(service.org_id, ALL)
    async with Api(service, token) as api:
        memory = await api.create("/memories", {"content": "The office closes at six."})
        directive = await api.create("/directives", {"content": "Be brief."})
    users = operator.administration.users
    return {
        "agent_id": "helper",
        "directive_id": directive["id"],
        "memory_id": memory["id"],
        "organization_id": str(await operator.organization("other")),
        "token_id": str((await operator.issue(service.org_id)).record.id),
        "user_id": str((await users.create(actor, "ada@example.org", "Ada", "member")).id),
    }


def _fuzz(document: Any, url: str, token: str, there: dict[str, str], mode: GenerationMode) -> None:
    schema = schemathesis.openapi.from_dict(document)
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {token}"
        for result in schema.get_all_operations():
            assert isinstance(result, Ok)
            operation = result.ok()
            if "x-permissions" not in operation.definition.raw or "calls" in (operation.tags or ()):
                continue

            @settings(
                max_examples=_EXAMPLES,
                deadline=None,
                database=None,
                derandomize=True,
                phases=[Phase.explicit, Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            @given(case=operation.as_strategy(generation_mode=mode), is_there=st.booleans())
            def fuzz(case: Any, is_there: bool) -> None:
                if is_there:
                    known = {name: there[name] for name in case.path_parameters or {} if name in there}
                    case.path_parameters.update(known)
                answer = case.call(base_url=url, session=session, timeout=20)
                case.validate_response(answer, checks=_CHECKS)

            fuzz()
