"""The same request with the same key is answered once, and told the same thing twice."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
import pytest_asyncio
import redis.asyncio
from redis.exceptions import RedisError

from ibex.auth import CHAT as CHAT_PERMISSIONS
from ibex.auth import AgentPrincipal
from ibex.ids import uuid7
from ibex.proxy.idempotency import IdempotencyKeys, Reservation, StoredAnswer, fingerprint
from ibex.storage import connect_single
from tests.faults.waiting import until
from tests.providers.behaviours import break_at_event, fail_first, status
from tests.proxy.asking import CHAT, assert_refused, assert_still_works, chat, chat_bytes
from tests.proxy.conftest import Standing
from tests.proxy.wire import connect, post

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def _goes_on(standing: Standing) -> AsyncIterator[None]:
    yield
    await assert_still_works(standing.service)


async def ask(standing: Standing, key: str, body: dict[str, Any], **headers: str) -> httpx2.Response:
    async with standing.service.http() as client:
        return await client.post(CHAT, json=body, headers={"Idempotency-Key": key, **headers})


def somebody() -> AgentPrincipal:
    return AgentPrincipal(uuid7(), uuid7(), CHAT_PERMISSIONS, agent_id=uuid7(), agent_slug="helper")


async def until_replayed(
    standing: Standing, key: str, body: dict[str, Any], **headers: str
) -> httpx2.Response:
    """The kept answer, as soon as it is kept, which happens after it was sent."""
    replayed: list[httpx2.Response] = []

    async def is_kept() -> bool:
        replayed.append(await ask(standing, key, body, **headers))
        return replayed[-1].status_code == 200

    await until(is_kept)
    assert replayed[-1].headers["x-ibex-idempotency"] == "replayed"
    return replayed[-1]


@pytest.mark.parametrize("stream", [True, False])
async def test_a_repeated_request_gets_the_first_answer(standing: Standing, stream: bool) -> None:
    body, key = chat(stream=stream), f"repeated-{stream}"
    first = await ask(standing, key, body)
    before = len(standing.stub.exchanges)
    second = await until_replayed(standing, key, body)
    assert second.content == first.content
    assert second.headers["content-type"] == first.headers["content-type"]
    assert second.headers["x-request-id"] != first.headers["x-request-id"]
    assert len(standing.stub.exchanges) == before


async def test_a_key_cannot_be_used_for_another_request(standing: Standing) -> None:
    await ask(standing, "reused", chat())
    response = await ask(standing, "reused", chat(temperature=1))
    assert_refused(response, 422, "IDEMPOTENCY_KEY_REUSE", "another request", "Idempotency-Key")
    async with standing.service.http() as client:
        response = await client.post(
            "/v1/embeddings", json={"model": "e", "input": "x"}, headers={"Idempotency-Key": "reused"}
        )
    assert response.status_code == 422


@pytest.mark.parametrize("header", ["X-IBEX-User-ID", "X-IBEX-Session-ID"])
async def test_a_key_cannot_be_used_for_another_user_or_session(standing: Standing, header: str) -> None:
    key = f"another-{header}"
    await ask(standing, key, chat(), **{header: "ann"})
    for headers in ({header: "bob"}, {}):
        response = await ask(standing, key, chat(), **headers)
        assert_refused(response, 422, "IDEMPOTENCY_KEY_REUSE", "another request", "Idempotency-Key")
    assert (await until_replayed(standing, key, chat(), **{header: "ann"})).status_code == 200


async def test_requests_are_the_same_only_when_everything_is() -> None:
    asked = [
        fingerprint(operation, user, session, body)
        for operation in ("chat", "embeddings")
        for user in (None, "a", "b")
        for session in (None, "a", "b")
        for body in (b"{}", b"a", b"")
    ]
    assert len(set(asked)) == len(asked)


@pytest.mark.parametrize("named", [{"X-IBEX-Session-ID": "mine"}, {}])
async def test_a_repeated_answer_names_the_session_of_the_first(
    standing: Standing, named: dict[str, str]
) -> None:
    key = f"session-{len(named)}"
    first = await ask(standing, key, chat(), **named)
    second = await until_replayed(standing, key, chat(), **named)
    assert second.headers["x-ibex-session-id"] == first.headers["x-ibex-session-id"]


async def test_a_repeated_answer_without_a_session_names_none(standing: Standing) -> None:
    async def embed() -> httpx2.Response:
        async with standing.service.http() as client:
            return await client.post(
                "/v1/embeddings", json={"model": "e", "input": "x"}, headers={"Idempotency-Key": "embedded"}
            )

    first = await embed()

    async def is_replayed() -> bool:
        again = await embed()
        assert "x-ibex-session-id" not in again.headers
        return again.content == first.content and again.headers.get("x-ibex-idempotency") == "replayed"

    await until(is_replayed)


async def test_while_the_first_is_answered_the_second_has_to_wait(standing: Standing) -> None:
    first = asyncio.create_task(ask(standing, "busy", chat("slow-headers")))
    await standing.stub.exchange(len(standing.stub.exchanges))
    second = await ask(standing, "busy", chat("slow-headers"))
    assert_refused(second, 409, "IDEMPOTENCY_IN_PROGRESS", "still being answered", "Idempotency-Key")
    assert second.headers["retry-after"] == "1"
    standing.stub.gate.step()
    assert (await first).status_code == 200
    assert (await until_replayed(standing, "busy", chat("slow-headers"))).content == first.result().content


async def until_free(standing: Standing, key: str, body: dict[str, Any], **headers: str) -> None:
    """A key that was given back can be used for the same request at once."""

    async def is_free() -> bool:
        response = await ask(standing, key, body, **headers)
        assert response.status_code in (200, 409), response.text
        return response.status_code == 200 and "x-ibex-idempotency" not in response.headers

    await until(is_free)


async def test_a_failed_request_gives_its_key_back(standing: Standing) -> None:
    standing.stub.on("failing", fail_first(1, status(400)))
    assert (await ask(standing, "failing", chat("failing"))).status_code == 400
    await until_free(standing, "failing", chat("failing"))


async def test_a_stream_that_broke_off_gives_its_key_back(standing: Standing) -> None:
    standing.stub.on("breaking", fail_first(1, break_at_event))
    assert "PROVIDER_ERROR" in (await ask(standing, "breaking", chat("breaking", stream=True))).text
    await until_free(standing, "breaking", chat("breaking", stream=True))


async def test_a_client_that_leaves_gives_its_key_back(standing: Standing) -> None:
    async with connect(standing.service) as wire:
        body = chat_bytes("slow-headers")
        await wire.send(post(standing.service, body, "Idempotency-Key: left"))
        await standing.stub.exchange(len(standing.stub.exchanges))
    standing.stub.gate.open()

    async def is_free() -> bool:
        async with standing.service.http() as client:
            headers = {"Idempotency-Key": "left", "Content-Type": "application/json"}
            return (await client.post(CHAT, content=body, headers=headers)).status_code == 200

    await until(is_free)


@pytest.mark.parametrize("header", ["X-IBEX-Session-ID", "X-IBEX-User-ID"])
async def test_a_request_that_is_refused_after_its_key_was_taken_gives_it_back(
    standing: Standing, header: str
) -> None:
    key = f"refused-{header}"
    assert (await ask(standing, key, chat(), **{header: "x" * 300})).status_code == 400
    await until_free(standing, key, chat())


async def test_keys_of_two_agents_have_nothing_to_do_with_each_other(standing: Standing) -> None:
    org_id = standing.service.org_id
    await standing.operator.create_agent(org_id, "Other", "other")
    token = await standing.operator.token(org_id, agent="other")
    await ask(standing, "both", chat())
    response = await ask(standing, "both", chat(), Authorization=f"Bearer {token}")
    assert response.status_code == 200
    assert "x-ibex-idempotency" not in response.headers


async def test_without_redis_a_key_is_not_honoured_and_a_header_says_so(
    standing: Standing, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object, **__: object) -> None:
        raise RedisError

    monkeypatch.setattr(redis.asyncio.Redis, "set", away)
    for _ in range(2):
        response = await ask(standing, "away", chat())
        assert (response.status_code, response.headers["x-ibex-idempotency"]) == (200, "unavailable")
    monkeypatch.undo()
    await until_free(standing, "away", chat())


@pytest.mark.parametrize("size", [1_000, 4 << 20])
async def test_a_reservation_that_was_lost_changes_nothing_for_whoever_holds_the_key(
    standing: Standing, size: int
) -> None:
    client = connect_single(standing.database.redis_url, timeout=5.0)
    keys = IdempotencyKeys(client, timeout=5.0, keep=60, limit=4 << 20)
    principal = somebody()
    mine, theirs = StoredAnswer("a/b", b"m" * size, "mine"), StoredAnswer("a/b", b"t\n" * (size // 2), None)
    lost = await keys.reserve(principal, "key", "asked", uuid7())
    assert isinstance(lost, Reservation)
    await client.delete(lost.key)
    held = await keys.reserve(principal, "key", "asked", uuid7())
    assert isinstance(held, Reservation)
    await keys.give_back(lost)
    await keys.keep(lost, mine)
    assert await client.get(held.key) == held.mark.encode()
    await keys.keep(held, theirs)
    await keys.give_back(held)
    await keys.give_back(lost)
    assert await keys.reserve(principal, "key", "asked", uuid7()) == theirs
    assert 0 < await client.ttl(held.key) <= 60
    await client.aclose()


async def test_a_key_that_was_taken_too_late_is_given_back(
    standing: Standing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Redis may have made the reservation although its answer did not come in time."""
    client = connect_single(standing.database.redis_url, timeout=5.0)
    keys = IdempotencyKeys(client, timeout=0.05, keep=60, limit=1_000)
    principal = somebody()
    take, release = client.set, asyncio.Event()

    async def take_and_answer_late(*arguments: Any, **options: Any) -> Any:
        answer = await take(*arguments, **options)
        await release.wait()
        return answer

    with monkeypatch.context() as patch:
        patch.setattr(client, "set", take_and_answer_late)
        late = await keys.reserve(principal, "late", "chat", uuid7())
        waiting = asyncio.create_task(keys.reserve(principal, "left", "chat", uuid7()))
        await asyncio.sleep(0)
        waiting.cancel()
        assert isinstance(late, Reservation)
        assert not late.is_honoured

    async def are_free() -> bool:
        return not await client.keys(f"*{principal.org_id}*")

    assert not await are_free()
    release.set()
    await until(are_free)
    await client.aclose()
