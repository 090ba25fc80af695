"""Heads that cannot be accepted get an answer that says why, and the next request is served."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.proxy.asking import CHAT, assert_refused, assert_still_works, chat, chat_bytes, error_of
from tests.proxy.conftest import Standing
from tests.proxy.wire import connect, head, post

pytestmark = pytest.mark.asyncio(loop_scope="module")

LIMIT = 32 << 10


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def _goes_on(standing: Standing) -> AsyncIterator[None]:
    yield
    await assert_still_works(standing.service)


@pytest.mark.parametrize("size", [LIMIT, 64 << 10, 1 << 20])
async def test_a_header_that_is_too_large_is_refused(standing: Standing, size: int) -> None:
    async with connect(standing.service) as wire:
        await wire.send(head(standing.service, "Content-Length: 2", f"X-Large: {'x' * size}"))
        answer = await wire.answer()
        assert (answer.status, answer.error["code"]) == (431, "HEADERS_TOO_LARGE")
        assert str(LIMIT) in answer.error["message"]
        assert answer.headers["connection"] == "close"
        assert await wire.is_closed()


async def test_a_large_header_within_the_limit_is_no_problem(standing: Standing) -> None:
    async with standing.service.http() as client:
        response = await client.post(CHAT, json=chat(), headers={"X-Large": "x" * (LIMIT - 1_000)})
    assert response.status_code == 200


async def test_a_header_without_end_is_refused(standing: Standing) -> None:
    async with connect(standing.service) as wire:
        await wire.send(b"POST /v1/chat/completions HTTP/1.1\r\nX-Endless: ")
        await wire.send(*[b"x" * 1_000] * 100)
        answer = await wire.answer()
    assert (answer.status, answer.error["code"]) == (431, "HEADERS_TOO_LARGE")


async def test_an_address_without_end_is_refused(standing: Standing) -> None:
    async with connect(standing.service) as wire:
        await wire.send(b"GET /", *[b"x" * 1_000] * 33)
        answer = await wire.answer()
    assert (answer.status, answer.error["code"]) == (431, "HEADERS_TOO_LARGE")


async def test_a_flood_of_headers_is_refused(standing: Standing) -> None:
    flood = "".join(f"X-{number}: x\r\n" for number in range(10_000)).encode()
    async with connect(standing.service) as wire:
        await wire.send(b"POST /v1/chat/completions HTTP/1.1\r\n", flood)
        answer = await wire.answer()
    assert (answer.status, answer.error["code"]) == (431, "HEADERS_TOO_LARGE")


@pytest.mark.parametrize(
    "rubbish",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"hello\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET http:// HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET / HTTP/1.1\r\nX-Name : x\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: a\x00b\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
)
async def test_what_is_no_http_is_refused(standing: Standing, rubbish: bytes) -> None:
    async with connect(standing.service) as wire:
        await wire.send(rubbish)
        answer = await wire.answer()
        assert (answer.status, answer.error["code"]) == (400, "INVALID_REQUEST")
        assert "HTTP" in answer.error["message"]
        assert await wire.is_closed()


async def test_rubbish_behind_a_request_does_not_end_up_in_its_answer(standing: Standing) -> None:
    async with connect(standing.service) as wire:
        await wire.send(post(standing.service, chat_bytes("slow", stream=True)))
        standing.stub.gate.step()
        assert (await wire.head())[0] == 200
        assert (await wire.chunk()).startswith(b"data: ")
        await wire.send(b"rubbish\r\n\r\n")
        assert await wire.is_closed()


@pytest.mark.parametrize("character", [*map(chr, range(1, 9)), "\x0b", "\x1b", "\x7f"])
async def test_a_session_id_with_control_characters_is_refused(standing: Standing, character: str) -> None:
    async with connect(standing.service) as wire:
        await wire.send(post(standing.service, chat_bytes(), f"X-IBEX-Session-ID: a{character}b"))
        answer = await wire.answer()
    assert answer.status == 400
    assert answer.error["code"] in {"INVALID_REQUEST", "VALIDATION_ERROR"}


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("X-IBEX-Session-ID", "s" * 65, "64"),
        ("X-IBEX-Session-ID", "two words", "no spaces"),
        ("X-IBEX-Session-ID", "a\tb", "printable"),
        ("X-IBEX-Session-ID", "sitzung-zürich", "ASCII"),
        ("X-IBEX-Session-ID", "東京", "ASCII"),
        ("X-IBEX-Agent-ID", "two words", "id or slug"),
        ("X-IBEX-Agent-ID", "../admin", "id or slug"),
        ("X-IBEX-Agent-ID", "a" * 65, "id or slug"),
        ("X-IBEX-Agent-ID", "helper'; --", "id or slug"),
        ("X-IBEX-User-ID", "u" * 257, "256"),
        ("X-IBEX-User-ID", "a\tb", "printable"),
        ("Idempotency-Key", "k" * 257, "256"),
        ("Idempotency-Key", "schlüssel", "ASCII"),
    ],
)
async def test_a_header_that_cannot_be_accepted_is_named(
    standing: Standing, name: str, value: str, says: str
) -> None:
    async with standing.service.http() as client:
        response = await client.post(CHAT, json=chat(), headers={name.encode(): value.encode()})
    assert_refused(response, 400, "VALIDATION_ERROR", says, name)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Authorization", "Bearer other"),
        ("X-IBEX-Agent-ID", "helper"),
        ("X-IBEX-User-ID", "bob"),
        ("X-IBEX-Session-ID", "s"),
        ("Idempotency-Key", "k"),
    ],
)
async def test_a_header_that_says_two_things_is_refused(standing: Standing, name: str, value: str) -> None:
    more = [f"{name}: {value}"] * (1 if name == "Authorization" else 2)
    async with connect(standing.service) as wire:
        await wire.send(post(standing.service, chat_bytes(), *more))
        answer = await wire.answer()
        assert (answer.status, answer.error["code"]) == (400, "VALIDATION_ERROR")
        assert (answer.error["param"], "more than once" in answer.error["message"]) == (name, True)
        await wire.send(head(standing.service, *more, method="GET", path="/v1/models"))
        assert (await wire.answer()).error["param"] == name


async def test_other_headers_may_come_twice(standing: Standing) -> None:
    async with connect(standing.service) as wire:
        await wire.send(post(standing.service, chat_bytes(), "Accept: a", "Accept: b"))
        assert (await wire.answer()).status == 200


@pytest.mark.parametrize("agent", ["nobody", "00000000-0000-0000-0000-000000000000"])
async def test_another_agent_than_the_tokens_is_forbidden(standing: Standing, agent: str) -> None:
    async with standing.service.http() as client:
        response = await client.post(CHAT, json=chat(), headers={"X-IBEX-Agent-ID": agent})
    assert_refused(response, 403, "AGENT_NOT_AUTHORIZED", "agent", "X-IBEX-Agent-ID")


@pytest.mark.parametrize(
    ("authorization", "code"),
    [
        (None, "MISSING_TOKEN"),
        ("", "MISSING_TOKEN"),
        ("Basic dXNlcjpwYXNz", "INVALID_TOKEN"),
        ("Bearer", "INVALID_TOKEN"),
        ("Bearer sk-something", "INVALID_TOKEN"),
        ("Bearer " + "x" * 10_000, "INVALID_TOKEN"),
        ("Bearer ü", "INVALID_TOKEN"),
        ("{token}", "INVALID_TOKEN"),
        ("Token {token}", "INVALID_TOKEN"),
        ("Bearer {token}x", "INVALID_TOKEN"),
        ("Bearer {token} {token}", "INVALID_TOKEN"),
    ],
)
async def test_anything_but_a_bearer_token_is_unauthorized(
    standing: Standing, authorization: str | None, code: str
) -> None:
    async with standing.service.http() as client:
        del client.headers["Authorization"]
        if authorization is not None:
            text = authorization.format(token=standing.service.token)
            client.headers = {"Authorization": text.encode()}  # type: ignore[assignment]
        response = await client.post(CHAT, json=chat())
    assert (response.status_code, error_of(response)["code"]) == (401, code)
    assert response.headers["www-authenticate"] == "Bearer"
    assert standing.service.token not in response.text


@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "Bearer "])
async def test_the_scheme_is_read_in_any_case(standing: Standing, scheme: str) -> None:
    async with standing.service.http() as client:
        client.headers["Authorization"] = f"{scheme} {standing.service.token}"
        assert (await client.post(CHAT, json=chat())).status_code == 200


@pytest.mark.parametrize(
    "path", ["/", "/v1", "/v1/", "/v1/chat", "/v1/chat/completions/", "//v1/models", "/v1/%00", "/%ff%fe"]
)
async def test_an_unknown_path_is_not_found(standing: Standing, path: str) -> None:
    async with connect(standing.service) as wire:
        await wire.send(head(standing.service, method="GET", path=path))
        answer = await wire.answer()
    assert (answer.status, answer.error["code"]) == (404, "NOT_FOUND")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", CHAT, "POST"),
        ("PUT", CHAT, "POST"),
        ("DELETE", CHAT, "POST"),
        ("OPTIONS", CHAT, "POST"),
        ("HEAD", CHAT, "POST"),
        ("POST", "/v1/models", "GET, HEAD"),
        ("POST", "/health", "GET, HEAD"),
    ],
)
async def test_another_method_is_told_the_right_one(
    standing: Standing, method: str, path: str, allowed: str
) -> None:
    async with standing.service.http() as client:
        response = await client.request(method, path)
    assert (response.status_code, response.headers["allow"]) == (405, allowed)
    if method != "HEAD":
        assert_refused(response, 405, "METHOD_NOT_ALLOWED", path)


@pytest.mark.parametrize("path", ["/health", "/ready", "/metrics", "/v1/models", "/errors/INVALID_TOKEN"])
async def test_head_is_get_without_the_body(standing: Standing, path: str) -> None:
    async with connect(standing.service) as wire:
        await wire.send(head(standing.service, method="HEAD", path=path))
        answer = await wire.answer(has_body=False)
        assert answer.status == 200
        assert int(answer.headers["content-length"]) > 0
        await wire.send(head(standing.service, method="GET", path="/health"))
        assert (await wire.answer()).body.startswith(b"{")


async def test_requests_that_come_together_are_answered_in_order(standing: Standing) -> None:
    async with connect(standing.service) as wire:
        await wire.send(
            post(standing.service, chat_bytes("first"))
            + post(standing.service, b"{}")
            + post(standing.service, chat_bytes("third", stream=True))
            + head(standing.service, method="GET", path="/nowhere")
        )
        first, second, third, fourth = [await wire.answer() for _ in range(4)]
    assert b'"model":"first"' in first.body
    assert second.error["code"] == "VALIDATION_ERROR"
    assert third.body.endswith(b"data: [DONE]\n\n")
    assert fourth.status == 404


async def test_many_small_requests_in_one_write_are_not_taken_for_one_large_head(standing: Standing) -> None:
    one = head(standing.service, f"X-Pad: {'x' * 900}", method="GET", path="/health")
    async with connect(standing.service) as wire:
        await wire.send(one * 60 + one[:-2])
        for _ in range(60):
            assert (await wire.answer()).status == 200
        await wire.send(one[-2:])
        assert (await wire.answer()).status == 200


async def test_http_1_0_is_answered_and_closed(standing: Standing) -> None:
    async with connect(standing.service) as wire:
        await wire.send(post(standing.service, chat_bytes(), version="1.0"))
        answer = await wire.answer()
        assert answer.status == 200
        assert "transfer-encoding" not in answer.headers
        assert await wire.is_closed()


async def test_a_client_that_asks_first_is_told_to_continue(standing: Standing) -> None:
    body = chat_bytes()
    async with connect(standing.service) as wire:
        await wire.send(head(standing.service, f"Content-Length: {len(body)}", "Expect: 100-continue"))
        assert (await wire.head())[0] == 100
        await wire.send(body)
        assert (await wire.answer()).status == 200


async def test_a_client_that_asks_first_with_too_large_a_body_is_refused(standing: Standing) -> None:
    async with connect(standing.service) as wire:
        await wire.send(head(standing.service, "Content-Length: 2000000", "Expect: 100-continue"))
        assert (await wire.answer()).status == 413


async def test_every_answer_tells_what_it_is_and_what_it_cost(standing: Standing) -> None:
    async with standing.service.http() as client:
        good = await client.post(CHAT, json=chat())
        bad = await client.post(CHAT, json={})
    assert good.headers["x-request-id"] < bad.headers["x-request-id"]
    for answer in (good, bad):
        assert len(answer.headers["x-trace-id"]) == 32
        assert answer.headers["x-response-time"].endswith("ms")
        assert float(answer.headers["x-ibex-overhead-ms"]) >= 0
    assert float(good.headers["x-ibex-overhead-ms"]) < float(good.headers["x-response-time"][:-2])


async def test_the_trace_of_the_caller_is_continued(standing: Standing) -> None:
    trace_id = "0af7651916cd43dd8448eb211c80319c"
    async with standing.service.http() as client:
        response = await client.post(
            CHAT, json=chat(), headers={"traceparent": f"00-{trace_id}-b7ad6b7169203331-01"}
        )
        assert response.headers["x-trace-id"] == trace_id
        for rubbish in ("00-xyz", "00-" + "0" * 32 + "-" + "0" * 16 + "-01", "ü"):
            response = await client.post(CHAT, json=chat(), headers={b"traceparent": rubbish.encode()})
            assert response.status_code == 200
            assert len(response.headers["x-trace-id"]) == 32
