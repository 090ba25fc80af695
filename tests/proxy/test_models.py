"""The list of models: what is declared, and what the providers list themselves."""

from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest
import pytest_asyncio

from tests.fixtures import Database
from tests.operator import Operator
from tests.providers import behaviours
from tests.providers.behaviours import Behaviour, status
from tests.providers.stub import StubProvider
from tests.proxy.asking import assert_refused, assert_still_works
from tests.proxy.conftest import UNLIMITED
from tests.service import API_KEY, Service


@pytest_asyncio.fixture
async def service(
    database: Database, operator: Operator, stub_provider: StubProvider
) -> AsyncIterator[Service]:
    settings: dict[str, Any] = {
        "providers": {
            "openai": {
                "base_url": stub_provider.base_url,
                "api_key": API_KEY,
                "models": ["declared", "gpt-*", "fid*", "s*"],
                "timeouts": {"first_byte": 1.0},
            }
        },
        "aliases": {"best": ["gpt-4o-mini"]},
    }
    async with Service.start(
        database.service_dsn, database.redis_url, operator, None, **UNLIMITED, **settings
    ) as running:
        yield running


async def test_the_official_client_lists_them(service: Service, stub_provider: StubProvider) -> None:
    async with service.openai() as client:
        models = [model async for model in client.models.list()]
        again = [model async for model in client.models.list()]
    owners = {model.id: model.owned_by for model in models}
    assert owners["best"] == "ibex"
    assert owners["declared"] == "openai"
    assert (owners["gpt-4o-mini"], owners["fidelity"]) == ("stub", "stub")
    assert "endless" not in owners
    assert all(model.object == "model" for model in models)
    assert again == models
    [request] = stub_provider.requests
    assert (request.method, request.path) == ("GET", "/v1/models")
    assert request.header("authorization") == f"Bearer {API_KEY}"


@pytest.mark.parametrize(
    "failure",
    [
        status(401),
        status(500),
        behaviours.close_before_headers,
        behaviours.html,
        behaviours.empty_body,
        behaviours.invalid_json,
        behaviours.truncated,
        behaviours.endless,
    ],
)
async def test_a_provider_that_does_not_list_its_models_is_left_out(
    service: Service, stub_provider: StubProvider, failure: Behaviour, caplog: pytest.LogCaptureFixture
) -> None:
    stub_provider.on_path("/models", failure)
    async with service.http() as client:
        response = await client.get("/v1/models")
    assert response.status_code == 200
    assert [model["id"] for model in response.json()["data"]] == ["best", "declared"]
    assert API_KEY not in caplog.text + response.text
    await assert_still_works(service)


@pytest.mark.parametrize(
    "listed",
    [b"[]", b'{"data": 7}', b'{"data": [7, null, {"id": 7}, {}, {"id": "gpt-5"}]}', b"null", b"\xff"],
)
async def test_rubbish_in_a_list_is_left_out(
    service: Service, stub_provider: StubProvider, listed: bytes
) -> None:
    stub_provider.on_path("/models", lambda exchange: exchange.respond(listed))
    async with service.http() as client:
        ids = [model["id"] for model in (await client.get("/v1/models")).json()["data"]]
    assert ids == ["best", "declared", *(["gpt-5"] if b"gpt-5" in listed else [])]


async def test_it_takes_a_token(service: Service) -> None:
    async with service.openai(api_key="ibex_pat_none") as client:
        with pytest.raises(openai.AuthenticationError) as refused:
            await client.models.list()
    assert refused.value.code == "INVALID_TOKEN"
    async with service.http() as client:
        del client.headers["Authorization"]
        assert_refused(await client.get("/v1/models"), 401, "MISSING_TOKEN", "token", "Authorization")
