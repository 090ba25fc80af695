"""Whatever a provider does instead of answering, the client is told what happened and the service goes on."""

from collections.abc import AsyncIterator

import httpx2
import openai
import pytest
import pytest_asyncio

from tests.faults.waiting import until
from tests.providers import behaviours, payloads
from tests.providers.behaviours import Behaviour
from tests.providers.exchange import Exchange
from tests.proxy.asking import CHAT, assert_refused, assert_still_works, chat
from tests.proxy.conftest import Standing
from tests.proxy.records import turn

pytestmark = pytest.mark.asyncio(loop_scope="module")

SESSION = "X-IBEX-Session-ID"


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def _goes_on(standing: Standing) -> AsyncIterator[None]:
    yield
    await assert_still_works(standing.service)
    # Nothing is left hanging at the provider: what is open is the pool's.
    await until(lambda: all(e.finished.is_set() or e.aborted.is_set() for e in standing.stub.exchanges))


async def ask(standing: Standing, model: str, *, stream: bool, session: str = "s") -> httpx2.Response:
    async with standing.service.http() as client:
        return await client.post(CHAT, json=chat(model, stream=stream), headers={SESSION: session})


def writing(raw: bytes) -> Behaviour:
    async def write(exchange: Exchange) -> None:
        await exchange.raw(raw)
        exchange.break_off()

    return write


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    "model",
    ["close-before-headers", "html", "empty-body", "invalid-json", "truncated"],
)
async def test_an_answer_that_is_none_is_a_bad_gateway(standing: Standing, model: str, stream: bool) -> None:
    response = await ask(standing, model, stream=stream, session=f"{model}-{stream}")
    assert_refused(response, 502, "PROVIDER_INVALID_RESPONSE", "`openai`")
    row = await turn(standing.database, f"{model}-{stream}")
    assert (row["outcome"], row["status"], row["error_code"]) == ("failed", 502, "PROVIDER_INVALID_RESPONSE")


@pytest.mark.parametrize("model", ["empty-stream", "empty-stream-broken", "rubbish-stream"])
async def test_a_stream_that_is_none_is_a_bad_gateway(standing: Standing, model: str) -> None:
    response = await ask(standing, model, stream=True)
    assert_refused(response, 502, "PROVIDER_INVALID_RESPONSE", "`openai`")


@pytest.mark.parametrize(
    "raw",
    [
        b"rubbish\r\n\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX-Large: " + b"x" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 666 Evil\r\nContent-Length: 0\r\n\r\n",
        b"\x00\xff" * 500,
    ],
)
@pytest.mark.parametrize("stream", [True, False])
async def test_what_is_no_http_answer_is_a_bad_gateway(standing: Standing, raw: bytes, stream: bool) -> None:
    standing.stub.on("raw", writing(raw))
    response = await ask(standing, "raw", stream=stream)
    assert_refused(response, 502, "PROVIDER_INVALID_RESPONSE", "`openai`")


@pytest.mark.parametrize("stream", [True, False])
async def test_an_answer_of_the_other_kind_is_a_bad_gateway(standing: Standing, stream: bool) -> None:
    """The SDK would read JSON as a stream without events."""

    async def other_kind(exchange: Exchange) -> None:
        if stream:
            await exchange.respond(payloads.encode(payloads.completion("other")))
        else:
            await exchange.open_stream()
            await exchange.event(payloads.DONE_EVENT)
            await exchange.end_stream()

    standing.stub.on("other", other_kind)
    before, counted = len(standing.stub.exchanges), standing.service.instruments.attempts
    invalid = counted.total("openai", "invalid")
    # More often than the breaker would bear: it is the model that knows no other kind.
    for _ in range(12):
        response = await ask(standing, "other", stream=stream)
        assert_refused(response, 502, "PROVIDER_INVALID_RESPONSE", "`openai`")
    assert len(standing.stub.exchanges) == before + 12
    assert counted.total("openai", "invalid") == invalid + 12


async def test_a_compressed_answer_is_unpacked(standing: Standing) -> None:
    response = await ask(standing, "gzip", stream=False)
    assert response.json()["choices"][0]["message"]["content"] == payloads.ANSWER
    assert "content-encoding" not in response.headers


async def test_an_answer_that_is_too_large_is_given_up(standing: Standing) -> None:
    async def flood(exchange: Exchange) -> None:
        await exchange.open_stream("application/json")
        await exchange.part(b'{"a":"')
        for _ in range(70):
            await exchange.part(b"x" * (1 << 20))
        await exchange.hang()

    standing.stub.on("flood", flood)
    assert_refused(await ask(standing, "flood", stream=False), 502, "PROVIDER_INVALID_RESPONSE", "`openai`")


@pytest.mark.parametrize("model", ["break-at-event", "break-mid-line", "break-unframed", "reset-mid-stream"])
async def test_a_stream_that_breaks_off_ends_in_an_error_the_sdk_raises(
    standing: Standing, model: str
) -> None:
    standing.stub.gate.step()
    pieces: list[str | None] = []
    async with standing.service.openai(default_headers={SESSION: model}) as client:
        stream = await client.chat.completions.create(
            model=model, messages=[{"role": "user", "content": "hello"}], stream=True
        )

        async def read() -> None:
            async for chunk in stream:
                pieces.append(chunk.choices[0].delta.content)  # noqa: PERF401

        with pytest.raises(openai.APIError) as broken:
            await read()
    assert (broken.value.code, broken.value.type) == ("PROVIDER_ERROR", "api_error")
    assert "`openai` broke off its answer" in broken.value.message
    if model != "reset-mid-stream":
        assert pieces == ["", *(f" token{number:02d}" for number in range(behaviours.HALF - 1))]
    row = await turn(standing.database, model)
    assert (row["outcome"], row["status"], row["error_code"]) == ("broken", 200, "PROVIDER_ERROR")
    assert (row["usage_source"], row["attempts"]) == ("estimated", 1)


@pytest.mark.parametrize("model", ["break-at-event", "break-mid-line", "break-unframed"])
async def test_a_stream_that_breaks_off_does_not_say_done(standing: Standing, model: str) -> None:
    response = await ask(standing, model, stream=True)
    events = response.text.removesuffix("\n\n").split("\n\n")
    assert "[DONE]" not in response.text
    assert all(event.strip().startswith('data: {"') for event in events)
    assert '"code":"PROVIDER_ERROR"' in events[-1]
    assert response.headers["x-request-id"] in events[-1]


async def test_a_stream_without_done_is_complete_when_it_gave_a_reason_to_finish(standing: Standing) -> None:
    response = await ask(standing, "no-done", stream=True, session="no-done")
    assert response.content == b"".join(payloads.stream_events("no-done")[:-1])
    assert (await turn(standing.database, "no-done"))["outcome"] == "ok"


async def test_a_model_that_says_done_has_not_ended_its_stream(standing: Standing) -> None:
    async def says_done(exchange: Exchange) -> None:
        await exchange.head(200, {"content-type": "text/event-stream", "connection": "close"})
        await exchange.raw(b'data: {"choices":[{"delta":{"content":"data: [DONE]"}}]}\n\n')
        exchange.break_off()

    standing.stub.on("says-done", says_done)
    assert '"code":"PROVIDER_ERROR"' in (await ask(standing, "says-done", stream=True)).text


async def test_an_error_event_of_the_provider_is_raised_by_the_sdk(standing: Standing) -> None:
    async with standing.service.openai() as client:
        stream = await client.chat.completions.create(
            model="error-event", messages=[{"role": "user", "content": "hello"}], stream=True
        )
        with pytest.raises(openai.APIError, match="The server is overloaded"):
            async for _ in stream:
                pass


async def test_a_content_type_that_cannot_be_forwarded_does_no_harm(standing: Standing) -> None:
    async def odd_type(exchange: Exchange) -> None:
        await exchange.raw("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; x=東京\r\n".encode())
        await exchange.raw(b"Transfer-Encoding: chunked\r\n\r\n")
        for event in payloads.stream_events("odd-type"):
            await exchange.event(event)
        await exchange.end_stream()

    standing.stub.on("odd-type", odd_type)
    response = await ask(standing, "odd-type", stream=True)
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.content == b"".join(payloads.stream_events("odd-type"))


async def test_a_provider_that_refuses_connections_is_unavailable(standing: Standing) -> None:
    await standing.stub.stop()
    try:
        response = await ask(standing, "gpt-4o-mini", stream=False, session="refused")
        assert_refused(response, 503, "PROVIDER_UNAVAILABLE", "`openai` cannot be reached")
        assert int(response.headers["retry-after"]) > 0
        row = await turn(standing.database, "refused")
        assert (row["attempts"], row["outcome"]) == (3, "failed")
    finally:
        await standing.stub.start()
