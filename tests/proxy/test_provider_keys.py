"""An organization's own key for a provider: used for its calls, for nobody else's, and never told."""

import logging
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import httpx2
import psycopg
import pytest
import pytest_asyncio
from openai import PermissionDeniedError

from tests.faults.waiting import until
from tests.fixtures import Database
from tests.operator import Operator
from tests.providers.behaviours import for_key, status
from tests.providers.stub import StubProvider
from tests.proxy.asking import CHAT, assert_refused, chat, error_of
from tests.proxy.conftest import UNLIMITED
from tests.service import API_KEY, Service

OWN = "sk-of-acme-0123456789abcdefa1b2"
OTHERS = "sk-of-rival-0123456789abcdefc3d4"
THRESHOLD = 10  # failures in a row that open a breaker


@pytest_asyncio.fixture
async def service(
    database: Database, operator: Operator, stub_provider: StubProvider
) -> AsyncIterator[Service]:
    """In front of three providers: two at the stub, and the mock."""
    stub = {
        "base_url": stub_provider.base_url,
        "api_key": API_KEY,
        "retries": {"attempts": 2, "backoff": 0.01, "longest_wait": 1.0},
    }
    providers = {
        "openai": {**stub, "headers": {"OpenAI-Organization": "org-of-the-platform"}},
        "other": {**stub, "api_key": None, "headers": {"Api-Key": API_KEY}},
        "mock": {"kind": "mock"},
    }
    settings = {
        **UNLIMITED,
        "providers": providers,
        "aliases": {
            "either": ["openai/a", "other/a"],
            "twice": ["openai/a", "openai/b"],
            "rescued": ["openai/a", "mock/a"],
        },
    }
    async with Service.start(
        database.service_dsn, database.redis_url, operator, stub_provider, **settings
    ) as running:
        yield running


async def give(operator: Operator, org_id: UUID, key: str = OWN, provider: str = "openai") -> None:
    await operator.administration.credentials.put(operator.actor(org_id), provider, key)


async def ask(
    service: Service, token: str | None = None, model: str = "a", **options: Any
) -> httpx2.Response:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with service.http() as client:
        return await client.post(CHAT, json=chat(model), headers=headers, **options)


def keys_of(stub: StubProvider) -> list[str | None]:
    return [request.key for request in stub.requests]


async def test_an_organizations_key_takes_the_place_of_the_installations(
    service: Service, operator: Operator, stub_provider: StubProvider
) -> None:
    await give(operator, service.org_id)
    assert (await ask(service)).status_code == 200
    (request,) = stub_provider.requests
    assert request.key == OWN
    assert API_KEY not in str(request.headers)
    assert request.header("openai-organization") is None


async def test_without_one_the_installations_key_is_used(
    service: Service, stub_provider: StubProvider
) -> None:
    assert (await ask(service)).status_code == 200
    (request,) = stub_provider.requests
    assert request.key == API_KEY
    assert request.header("openai-organization") == "org-of-the-platform"


async def test_it_stands_where_the_provider_looks_for_a_key(
    service: Service, operator: Operator, stub_provider: StubProvider
) -> None:
    await give(operator, service.org_id, provider="other")
    assert (await ask(service, model="other/a")).status_code == 200
    (request,) = stub_provider.requests
    assert (request.header("api-key"), request.key) == (OWN, None)


async def test_each_organization_has_its_own_and_nobody_elses(
    service: Service, operator: Operator, stub_provider: StubProvider
) -> None:
    rival, neither = await operator.organization("rival"), await operator.organization("neither")
    await give(operator, service.org_id)
    await give(operator, rival, OTHERS)
    tokens = [service.token, await operator.token(rival), await operator.token(neither)]
    for _ in range(5):
        for token in tokens:
            assert (await ask(service, token)).status_code == 200
    assert keys_of(stub_provider) == [OWN, OTHERS, API_KEY] * 5


async def test_it_is_for_its_provider_only(
    service: Service, operator: Operator, stub_provider: StubProvider
) -> None:
    await give(operator, service.org_id)
    assert (await ask(service, model="other/a")).status_code == 200
    (request,) = stub_provider.requests
    assert (request.header("api-key"), request.key) == (API_KEY, None)


async def test_a_change_reaches_a_running_process(
    service: Service, operator: Operator, stub_provider: StubProvider
) -> None:
    async def is_asked_with(key: str) -> bool:
        assert (await ask(service)).status_code == 200
        return stub_provider.requests[-1].key == key

    await until(lambda: is_asked_with(API_KEY))
    await give(operator, service.org_id)
    assert await until(lambda: is_asked_with(OWN)) < 2
    await give(operator, service.org_id, OTHERS)
    assert await until(lambda: is_asked_with(OTHERS)) < 2
    await operator.administration.credentials.remove(operator.actor(service.org_id), "openai")
    assert await until(lambda: is_asked_with(API_KEY)) < 2


async def test_the_mock_asks_for_no_key(service: Service, operator: Operator) -> None:
    await give(operator, service.org_id, provider="mock")
    assert (await ask(service, model="mock/a")).status_code == 200


async def test_models_are_listed_with_the_installations_key(
    service: Service, operator: Operator, stub_provider: StubProvider
) -> None:
    await give(operator, service.org_id)
    async with service.http() as client:
        assert (await client.get("/v1/models")).status_code == 200
    assert {request.key for request in stub_provider.requests} == {API_KEY, None}


@pytest.mark.parametrize("code", [401, 403])
async def test_a_refused_key_is_the_organizations_and_is_tried_once(
    service: Service, operator: Operator, stub_provider: StubProvider, code: int
) -> None:
    await give(operator, service.org_id)
    stub_provider.otherwise = for_key(OWN, status(code))
    answer = await ask(service)
    assert_refused(answer, 403, "PROVIDER_KEY_REFUSED", f"the key of your organization (status {code})")
    assert OWN not in answer.text
    assert len(stub_provider.requests) == 1
    attempts = service.instruments.attempts
    assert attempts.total("openai", "refused_credentials") == 0
    assert attempts.total("openai", "refused_credentials_own_key") == 1


async def test_the_official_client_raises_its_own_error_and_does_not_try_again(
    service: Service, operator: Operator, stub_provider: StubProvider
) -> None:
    await give(operator, service.org_id)
    stub_provider.otherwise = for_key(OWN, status(401))
    async with service.openai(max_retries=3) as client:
        with pytest.raises(PermissionDeniedError) as caught:
            await client.chat.completions.create(**chat())
    assert caught.value.code == "PROVIDER_KEY_REFUSED"
    assert len(stub_provider.requests) == 1


async def test_a_key_that_was_refused_is_not_tried_with_the_next_model(
    service: Service, operator: Operator, stub_provider: StubProvider
) -> None:
    await give(operator, service.org_id)
    stub_provider.otherwise = for_key(OWN, status(401))
    assert (await ask(service, model="twice")).status_code == 403
    assert len(stub_provider.requests) == 1


async def test_a_fallback_to_another_provider_is_made_with_the_key_for_that_one(
    service: Service, operator: Operator, stub_provider: StubProvider
) -> None:
    await give(operator, service.org_id)
    stub_provider.otherwise = for_key(OWN, status(401))
    assert (await ask(service, model="either")).status_code == 200
    first, second = stub_provider.requests
    assert first.key == OWN
    assert (second.key, second.header("api-key")) == (None, API_KEY)


@pytest.mark.parametrize("code", [401, 403, 429])
async def test_bad_keys_of_one_organization_leave_the_provider_open_for_others(
    service: Service, operator: Operator, stub_provider: StubProvider, code: int
) -> None:
    rival = await operator.token(await operator.organization("rival"))
    await give(operator, service.org_id)
    stub_provider.otherwise = for_key(OWN, status(code, retry_after="60"))
    for _ in range(THRESHOLD + 2):
        assert (await ask(service)).status_code in {403, 429}
    assert (await ask(service, rival)).status_code == 200


async def test_bad_keys_do_not_hide_that_a_provider_is_failing(
    service: Service, operator: Operator, stub_provider: StubProvider
) -> None:
    """An answer to one bad key is no sign of health: the breaker opens for those whom the provider fails."""
    rival = await operator.token(await operator.organization("rival"))
    await give(operator, service.org_id)
    stub_provider.otherwise = for_key(OWN, status(401), otherwise=status(500))
    for _ in range(THRESHOLD):
        await ask(service, rival)
        await ask(service)
    answer = await ask(service, rival)
    assert_refused(answer, 503, "PROVIDER_UNAVAILABLE", "left alone")


async def test_a_limit_of_the_organizations_own_account_is_named_as_such(
    service: Service, operator: Operator, stub_provider: StubProvider
) -> None:
    await give(operator, service.org_id)
    stub_provider.otherwise = for_key(OWN, status(429, retry_after="60"))
    answer = await ask(service)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "60")
    assert error_of(answer)["docs_url"].endswith("/PROVIDER_RATE_LIMITED")
    assert service.instruments.attempts.total("openai", "rate_limited_own_key") == 1
    assert service.instruments.attempts.total("openai", "rate_limited") == 0


async def test_a_provider_that_quotes_the_key_is_not_passed_on(
    service: Service, operator: Operator, stub_provider: StubProvider
) -> None:
    own = "0123456789abcdef-of-no-known-form"

    async def quote(exchange: Any) -> None:
        body = b'{"error": {"message": "bad request by %b", "code": "%b"}}'
        await exchange.respond(body % (own.encode(), own.encode()), status=400)

    await give(operator, service.org_id, own)
    stub_provider.otherwise = quote
    answer = await ask(service)
    assert answer.status_code == 400
    assert own not in answer.text
    assert error_of(answer)["message"] == "bad request by [redacted]"


TAMPERING = {
    "a byte is another": "UPDATE ibex.provider_credentials SET sealed = set_byte(sealed, 14, "
    "255 - get_byte(sealed, 14)) WHERE org_id = %(acme)s",
    "it is cut off": "UPDATE ibex.provider_credentials SET sealed = 'x' WHERE org_id = %(acme)s",
    "its key id is unknown": "UPDATE ibex.provider_credentials SET key_id = 'ffffffffffff' "
    "WHERE org_id = %(acme)s",
    "it was moved from another organization": "UPDATE ibex.provider_credentials SET sealed = "
    "(SELECT sealed FROM ibex.provider_credentials WHERE org_id = %(rival)s) WHERE org_id = %(acme)s",
    "it was moved from another provider": "UPDATE ibex.provider_credentials SET provider = 'openai' "
    "WHERE org_id = %(acme)s",
}


@pytest.mark.parametrize("statement", TAMPERING.values(), ids=TAMPERING)
async def test_a_key_that_cannot_be_opened_is_not_replaced_by_the_installations(
    service: Service,
    operator: Operator,
    database: Database,
    stub_provider: StubProvider,
    caplog: pytest.LogCaptureFixture,
    statement: str,
) -> None:
    rival = await operator.organization("rival")
    await give(operator, service.org_id, provider="other" if "provider = 'openai'" in statement else "openai")
    await give(operator, rival, OTHERS)
    with psycopg.connect(database.superuser_dsn) as connection:
        connection.execute(statement.encode(), {"acme": service.org_id, "rival": rival})
    with caplog.at_level(logging.ERROR):
        answer = await ask(service)
        await ask(service)
    assert_refused(answer, 503, "CREDENTIALS_UNAVAILABLE", "cannot be opened")
    assert stub_provider.requests == ()
    (told,) = {record.getMessage() for record in caplog.records if "cannot be opened" in record.getMessage()}
    assert str(service.org_id) in told
    assert "openai" in told
    assert OWN not in caplog.text
    assert OTHERS not in caplog.text
    # What does not need it goes on, and so does everybody else.
    assert (await ask(service, model="rescued")).status_code == 200
    assert (await ask(service, await operator.token(rival))).status_code == 200
    assert keys_of(stub_provider) == [OTHERS]


async def test_a_key_that_is_set_again_mends_it(
    service: Service, operator: Operator, database: Database, stub_provider: StubProvider
) -> None:
    await give(operator, service.org_id)
    with psycopg.connect(database.superuser_dsn) as connection:
        connection.execute("UPDATE ibex.provider_credentials SET sealed = 'x'")
    assert (await ask(service)).status_code == 503
    await give(operator, service.org_id)

    async def is_answered() -> bool:
        return (await ask(service)).status_code == 200

    await until(is_answered)
    assert set(keys_of(stub_provider)) == {OWN}
