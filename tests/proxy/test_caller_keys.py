"""A provider key that a call brings: for that call, where the organization allows it, and never kept."""

import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import httpx2
import psycopg
import pytest
import pytest_asyncio

from tests.faults.waiting import until
from tests.fixtures import Database
from tests.operator import Operator
from tests.providers.behaviours import for_key, status
from tests.providers.stub import StubProvider
from tests.proxy.asking import CHAT, assert_refused, chat, error_of
from tests.proxy.conftest import UNLIMITED
from tests.service import API_KEY, Service

HEADER = "X-IBEX-Provider-Key"
BROUGHT = "sk-brought-0123456789abcdef"
ANOTHER = "sk-another-0123456789abcdef"
OWN = "sk-of-acme-0123456789abcdefa1b2"


@pytest_asyncio.fixture
async def service(
    database: Database, operator: Operator, stub_provider: StubProvider
) -> AsyncIterator[Service]:
    """For an organization that allows callers to bring keys."""
    stub = {"base_url": stub_provider.base_url, "api_key": API_KEY, "retries": {"attempts": 0}}
    settings = {
        **UNLIMITED,
        "providers": {"openai": stub, "other": stub, "mock": {"kind": "mock"}},
        "aliases": {"either": ["openai/a", "other/a"], "twice": ["openai/a", "openai/b", "other/a"]},
    }
    async with Service.start(
        database.service_dsn, database.redis_url, operator, stub_provider, **settings
    ) as running:
        allow(database, running.org_id)
        yield running


def allow(database: Database, org_id: UUID) -> None:
    with psycopg.connect(database.superuser_dsn) as connection:
        connection.execute("UPDATE ibex.organizations SET allows_caller_keys = true WHERE id = %s", (org_id,))


async def ask(
    service: Service, *, key: str | None = BROUGHT, model: str = "a", **headers: str
) -> httpx2.Response:
    if key is not None:
        headers[HEADER] = key
    async with service.http() as client:
        return await client.post(CHAT, json=chat(model), headers=headers)


def keys_of(stub: StubProvider) -> list[str | None]:
    return [request.key for request in stub.requests]


async def test_it_is_used_for_this_call_and_no_other(service: Service, stub_provider: StubProvider) -> None:
    assert (await ask(service)).status_code == 200
    assert (await ask(service, key=None)).status_code == 200
    assert keys_of(stub_provider) == [BROUGHT, API_KEY]
    assert stub_provider.requests[0].header(HEADER) is None


async def test_it_comes_before_the_key_of_the_organization(
    service: Service, operator: Operator, stub_provider: StubProvider
) -> None:
    await operator.administration.credentials.put(operator.actor(service.org_id), "openai", OWN)
    assert (await ask(service)).status_code == 200
    assert (await ask(service, key=None)).status_code == 200
    assert keys_of(stub_provider) == [BROUGHT, OWN]


async def test_where_it_is_not_allowed_nobody_is_asked(
    service: Service, operator: Operator, stub_provider: StubProvider
) -> None:
    token = await operator.token(await operator.organization("strict"))
    answer = await ask(service, Authorization=f"Bearer {token}")
    assert_refused(answer, 403, "CALLER_KEY_NOT_ALLOWED", "does not allow", HEADER)
    assert BROUGHT not in answer.text
    assert stub_provider.requests == ()


@pytest.mark.parametrize("key", ["short", "with a space", "x" * 513, "ké-ké-ké-ké"])
async def test_what_cannot_be_a_key_is_refused_without_being_told(
    service: Service, stub_provider: StubProvider, key: str
) -> None:
    async with service.http() as client:
        answer = await client.post(CHAT, json=chat(), headers={HEADER.encode(): key.encode()})
    assert_refused(answer, 400, "VALIDATION_ERROR", HEADER, HEADER)
    assert key not in answer.text
    assert stub_provider.requests == ()


async def test_it_is_given_once(service: Service, stub_provider: StubProvider) -> None:
    async with service.http() as client:
        answer = await client.post(CHAT, json=chat(), headers=[(HEADER, BROUGHT), (HEADER, ANOTHER)])
    assert_refused(answer, 400, "VALIDATION_ERROR", "more than once", HEADER)
    assert stub_provider.requests == ()


@pytest.mark.parametrize(("model", "asked"), [("either", 1), ("twice", 2)])
async def test_it_is_shown_to_the_first_provider_only(
    service: Service, stub_provider: StubProvider, model: str, asked: int
) -> None:
    stub_provider.otherwise = status(500)
    assert (await ask(service, model=model)).status_code == 500
    assert keys_of(stub_provider) == [BROUGHT] * asked


async def test_a_refusal_names_the_callers_key_and_does_not_tell_it(
    service: Service, stub_provider: StubProvider
) -> None:
    stub_provider.otherwise = for_key(BROUGHT, status(401))
    answer = await ask(service)
    assert_refused(answer, 403, "PROVIDER_KEY_REFUSED", "X-IBEX-Provider-Key")
    assert BROUGHT not in answer.text
    assert keys_of(stub_provider) == [BROUGHT]
    for _ in range(15):
        await ask(service)
    assert (await ask(service, key=None)).status_code == 200


async def test_a_provider_that_quotes_it_is_not_passed_on(
    service: Service, stub_provider: StubProvider
) -> None:
    key = "0123456789-of-no-known-form"

    async def quote(exchange: Any) -> None:
        body = json.dumps({"error": {"message": f"not with {exchange.request.key}"}}).encode()
        await exchange.respond(body, status=400)

    stub_provider.otherwise = quote
    assert error_of(await ask(service, key=key))["message"] == "not with [redacted]"


async def test_the_mock_ignores_it(service: Service, stub_provider: StubProvider) -> None:
    assert (await ask(service, model="mock/a")).status_code == 200
    assert stub_provider.requests == ()


async def test_a_repeated_request_with_the_key_of_another_is_another_request(
    service: Service, stub_provider: StubProvider
) -> None:
    once = {"Idempotency-Key": "once"}
    first = await ask(service, **once)

    async def again(key: str | None) -> httpx2.Response:
        while (answer := await ask(service, key=key, **once)).status_code == 409:
            pass
        return answer

    same = await again(BROUGHT)
    assert (first.status_code, same.status_code) == (200, 200)
    assert same.headers["x-ibex-idempotency"] == "replayed"
    for key in (ANOTHER, None):
        assert_refused(await again(key), 422, "IDEMPOTENCY_KEY_REUSE", "new key", "Idempotency-Key")
    assert keys_of(stub_provider) == [BROUGHT]


async def test_a_refused_caller_is_in_the_audit_without_the_key(
    service: Service, operator: Operator, database: Database
) -> None:
    org_id = await operator.organization("strict")
    await ask(service, Authorization=f"Bearer {await operator.token(org_id)}")
    service.server.should_exit = True

    def events() -> list[str]:
        with psycopg.connect(database.superuser_dsn) as connection:
            rows = connection.execute(
                "SELECT e::text FROM ibex.audit_events AS e WHERE org_id = %s AND outcome = 'refused'",
                (org_id,),
            ).fetchall()
        return [row[0] for row in rows]

    await until(lambda: bool(events()))
    (event,) = events()
    assert "CALLER_KEY_NOT_ALLOWED" in event
    assert BROUGHT not in event
