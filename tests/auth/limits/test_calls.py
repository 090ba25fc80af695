"""Limits as an agent meets them: through the service, on real calls."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from uuid import UUID

import httpx2
import pytest
import pytest_asyncio
import redis

from ibex.auth import Allowance, LimitScope
from tests.faults.waiting import until
from tests.fixtures import Database
from tests.operator import Operator
from tests.providers import payloads
from tests.providers.exchange import Exchange
from tests.providers.stub import StubProvider
from tests.proxy.asking import CHAT, assert_refused, chat, chat_bytes
from tests.proxy.conftest import UNLIMITED
from tests.proxy.wire import connect, post
from tests.service import Service

# "hello" with its envelope, at four bytes a token, and the answer that is assumed.
BODY_TOKENS = 20
USED = payloads.USAGE["total_tokens"]


@pytest_asyncio.fixture
async def service(
    database: Database, operator: Operator, stub_provider: StubProvider
) -> AsyncIterator[Service]:
    async with Service.start(
        database.service_dsn, database.redis_url, operator, stub_provider, **UNLIMITED
    ) as running:
        yield running


@pytest.fixture
def counted(database: Database) -> Callable[[Service], int]:
    """How many tokens Redis counts for the organization."""

    def read(service: Service) -> int:
        with redis.Redis.from_url(database.redis_url) as client:
            key = f"ibex:{{{service.org_id}}}:limit:tpm:organization:{service.org_id}"
            total: Any = client.hget(key, "total")
            return int(total or 0)

    return read


@pytest.fixture
def held(database: Database) -> Callable[[Service], int]:
    """How many leases Redis knows of the organization."""

    def read(service: Service) -> int:
        with redis.Redis.from_url(database.redis_url) as client:
            key = f"ibex:{{{service.org_id}}}:limit:concurrent:organization:{service.org_id}"
            count: Any = client.zcard(key)
            return int(count)

    return read


@pytest.fixture
def allow(operator: Operator, service: Service) -> Callable[..., Awaitable[None]]:
    """Override limits, and wait until the service knows of it."""

    async def put(scope: LimitScope, subject: object, *limits: int | None) -> None:
        actor = operator.actor(service.org_id)
        await operator.administration.limits.put(actor, scope, str(subject), Allowance(*limits))

    return put


async def say(service: Service, **headers: str) -> httpx2.Response:
    async with service.http() as client:
        return await client.post(CHAT, json=chat(), headers=headers)


async def limited(service: Service, scope: str) -> None:
    """Until the tightest limit is this one: then the override has arrived."""

    async def is_known() -> bool:
        async with service.http() as client:
            answer = await client.post(CHAT, json=chat())
        return answer.headers["x-ratelimit-scope"] == scope

    await until(is_known)


async def test_an_override_holds_within_a_second(service: Service, allow: Any, operator: Operator) -> None:
    agent = await operator.agent(service.org_id)
    await allow("agent", agent.id, 1_000)

    async def is_known() -> bool:
        return (await say(service)).headers["x-ratelimit-limit"] == "1000"

    assert await until(is_known) < 1.0
    await allow("agent", agent.id, 0)

    async def is_refused() -> bool:
        answer = await say(service)
        return answer.status_code == 429 and "retry-after" not in answer.headers

    await until(is_refused)
    assert_refused(await say(service), 429, "RATE_LIMITED", "agent is allowed no requests per minute at all")


async def test_each_end_user_has_a_limit_of_its_own(service: Service, allow: Any, database: Database) -> None:
    await allow("end_user", "*", 2)
    await allow("end_user", "generous", 3)

    async def is_known() -> bool:
        answer = await say(service, **{"X-IBEX-User-ID": "first"})
        return answer.headers["x-ratelimit-scope"] == "end_user; requests"

    await until(is_known)
    for name, most in (("zoe@example.com", 2), ("max", 2), ("generous", 3)):
        answers = [await say(service, **{"X-IBEX-User-ID": name}) for _ in range(most + 1)]
        assert [answer.status_code for answer in answers] == [200] * most + [429]
        assert_refused(
            answers[-1], 429, "RATE_LIMITED", f"end user has reached its limit of {most} requests per minute"
        )
    with redis.Redis.from_url(database.redis_url) as client:
        assert not any(b"zoe" in key for key in client.scan_iter())
    assert (await say(service)).status_code == 200


async def test_the_user_of_the_dialect_is_an_end_user_too(service: Service, allow: Any) -> None:
    await allow("end_user", "zoe", 1)

    async def ask(**fields: Any) -> httpx2.Response:
        async with service.http() as client:
            return await client.post(CHAT, json=chat(**fields))

    async def is_known() -> bool:
        return (await ask(user="zoe")).status_code == 429

    await until(is_known)
    assert (await ask(user="max")).status_code == 200
    assert (await say(service, **{"X-IBEX-User-ID": "zoe"})).status_code == 429


async def test_tokens_are_settled_with_what_the_provider_reports(
    service: Service, allow: Any, counted: Callable[[Service], int]
) -> None:
    await allow("organization", service.org_id, None, 100_000)
    await limited(service, "organization; tokens")
    before = counted(service)
    for _ in range(3):
        assert (await say(service)).status_code == 200
    await until(lambda: counted(service) == before + 3 * USED)


async def test_a_stream_is_settled_too(
    service: Service, allow: Any, counted: Callable[[Service], int]
) -> None:
    await allow("organization", service.org_id, None, 100_000)
    await limited(service, "organization; tokens")
    await until(lambda: counted(service) % USED == 0)
    before = counted(service)
    async with service.http() as client:
        answer = await client.post(CHAT, json=chat(stream=True))
    assert answer.headers["x-ratelimit-scope"] == "organization; tokens"
    await until(lambda: counted(service) == before + USED)


async def test_embeddings_count_their_input(
    service: Service, allow: Any, counted: Callable[[Service], int], stub_provider: StubProvider
) -> None:
    await allow("organization", service.org_id, None, 100_000)
    await limited(service, "organization; tokens")
    await until(lambda: counted(service) % USED == 0)
    before = counted(service)
    async with service.http() as client:
        body = {"model": "text-embedding-3-small", "input": "x" * 4_000}
        answer = await client.post("/v1/embeddings", json=body)
    assert answer.status_code == 200
    reserved = 100_000 - before - int(answer.headers["x-ratelimit-remaining"])
    assert 1_000 < reserved < 1_050
    reported = answer.json()["usage"]["prompt_tokens"]
    await until(lambda: counted(service) == before + reported)


async def test_a_call_that_fails_gives_its_tokens_back(
    service: Service, allow: Any, counted: Callable[[Service], int]
) -> None:
    await allow("organization", service.org_id, None, 100_000)
    await limited(service, "organization; tokens")
    await until(lambda: counted(service) % USED == 0)
    before = counted(service)
    async with service.http() as client:
        for model in ("status-400", "status-503", "close-before-headers"):
            assert (await client.post(CHAT, json=chat(model))).status_code >= 400
    await until(lambda: counted(service) == before)


async def test_a_stream_that_is_left_counts_what_was_said(
    service: Service, allow: Any, counted: Callable[[Service], int]
) -> None:
    await allow("organization", service.org_id, None, 100_000)
    await limited(service, "organization; tokens")
    await until(lambda: counted(service) % USED == 0)
    before = counted(service)
    async with connect(service) as wire:
        await wire.send(post(service, chat_bytes("hang-mid-stream", stream=True)))
        await wire.head()
        received = b""
        while received.count(b"data: ") < 10:
            received += await wire.chunk()
        wire.reset()
    await until(lambda: before + BODY_TOKENS < counted(service) < before + 100)


async def test_what_a_request_may_use_decides_whether_it_fits(service: Service, allow: Any) -> None:
    await allow("organization", service.org_id, None, 10_000)
    await limited(service, "organization; tokens")
    async with service.http() as client:
        response = await client.post(CHAT, json=chat(max_tokens=20_000))
        assert_refused(response, 429, "RATE_LIMITED", "it can never be admitted")
        assert response.headers["x-should-retry"] == "false"
        response = await client.post(CHAT, json=chat(max_completion_tokens=5_000, n=2))
        assert_refused(response, 429, "RATE_LIMITED", "it can never be admitted")
        response = await client.post(CHAT, json=chat(max_tokens=9_000))
        assert response.status_code == 200
        response = await client.post(CHAT, json=chat(max_tokens=10**30))
        assert_refused(response, 429, "RATE_LIMITED", "it can never be admitted")


async def test_a_long_stream_has_its_place_until_the_end(
    service: Service, allow: Any, stub_provider: StubProvider, held: Callable[[Service], int]
) -> None:
    await allow("organization", service.org_id, None, None, 2)
    await limited(service, "organization; concurrent")
    may_end = asyncio.Event()

    async def linger(exchange: Exchange) -> None:
        events = payloads.stream_events("lingering")
        await exchange.open_stream()
        await exchange.event(events[0])
        await may_end.wait()
        for event in events[1:]:
            await exchange.event(event)
        await exchange.end_stream()

    stub_provider.on("lingering", linger)
    async with service.http() as client:
        streams = [
            asyncio.create_task(client.post(CHAT, json=chat("lingering", stream=True))) for _ in range(2)
        ]
        await until(lambda: held(service) == 2)
        response = await say(service)
        assert_refused(
            response, 429, "RATE_LIMITED", "organization has reached its limit of 2 concurrent requests"
        )
        assert response.headers["retry-after"] == "1"
        may_end.set()
        for stream in streams:
            assert (await stream).status_code == 200
        assert (await say(service)).status_code == 200
    await until(lambda: held(service) == 0)


@pytest.mark.parametrize("model", ["slow-headers", "hang-mid-stream", "endless"])
async def test_who_leaves_gives_up_the_place(
    service: Service, allow: Any, stub_provider: StubProvider, held: Callable[[Service], int], model: str
) -> None:
    await allow("organization", service.org_id, None, None, 1)
    await limited(service, "organization; concurrent")
    first = len(stub_provider.exchanges)
    async with connect(service) as wire:
        await wire.send(post(service, chat_bytes(model, stream=True)))
        await stub_provider.exchange(first)
        assert held(service) == 1
        wire.close()
    await until(lambda: held(service) == 0)
    assert (await say(service)).status_code == 200


async def test_whatever_a_call_ends_with_its_place_is_free_again(
    service: Service, allow: Any, held: Callable[[Service], int]
) -> None:
    await allow("organization", service.org_id, None, None, 1)
    await limited(service, "organization; concurrent")
    async with service.http() as client:
        for body in (chat("status-500"), chat("break-mid-line", stream=True), chat("html"), chat()):
            answer = await client.post(CHAT, json=body)
            assert "concurrent" not in answer.text
        for _ in range(2):
            answer = await client.post(CHAT, json=chat(), headers={"Idempotency-Key": "same"})
            assert answer.status_code == 200
        assert (await client.post(CHAT, json=chat("no-such/model"))).status_code < 500
        assert (await client.post(CHAT, json=chat())).status_code == 200
    await until(lambda: held(service) == 0)


async def test_what_calls_no_model_needs_no_place(service: Service, allow: Any) -> None:
    await allow("organization", service.org_id, None, 0, 0)

    async def is_known() -> bool:
        return (await say(service)).status_code == 429

    await until(is_known)
    async with service.http() as client:
        models = await client.get("/v1/models")
        assert (models.status_code, models.headers["x-ratelimit-scope"]) == (200, "token; requests")
        assert (await client.get("/v1/agents")).status_code == 200


async def test_management_counts_for_the_token_and_the_organization(service: Service, allow: Any) -> None:
    principal: UUID = service.org_id
    await allow("organization", principal, 5)

    async def is_known() -> bool:
        return (await say(service)).headers["x-ratelimit-limit"] == "5"

    await until(is_known)
    async with service.http() as client:
        answers = [await client.get("/v1/agents") for _ in range(6)]
    assert answers[0].headers["x-ratelimit-scope"] == "organization; requests"
    assert answers[-1].status_code == 429
