"""The stub provider does what its behaviours claim."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable

import aiohttp
import openai
import pytest
import pytest_asyncio

from . import behaviours, payloads
from .exchange import Exchange
from .stub import StubProvider
from .threaded import ThreadedStub


class Client:
    """Calls the stub as a gateway would."""

    def __init__(self, session: aiohttp.ClientSession, stub: StubProvider) -> None:
        self._session = session
        self._url = f"{stub.base_url}/chat/completions"

    def post(self, model: str, *, stream: bool = False) -> "aiohttp.client._RequestContextManager":
        """A chat request, to be used with ``async with``."""
        body = {"model": model, "stream": stream, "messages": [{"role": "user", "content": "hello"}]}
        return self._session.post(self._url, json=body, headers={"authorization": "Bearer sk-upstream"})

    async def stream(self, model: str) -> bytes:
        """The whole body of a streamed answer."""
        async with self.post(model, stream=True) as response:
            return await response.read()


@pytest_asyncio.fixture
async def client(stub_provider: StubProvider) -> AsyncIterator[Client]:
    async with aiohttp.ClientSession() as session:
        yield Client(session, stub_provider)


async def test_an_unknown_model_gets_json_and_the_request_is_recorded(
    client: Client, stub_provider: StubProvider
) -> None:
    async with client.post("gpt-4o-mini") as response:
        answer = await response.json()
    [request] = stub_provider.requests
    assert answer["choices"][0]["message"]["content"] == payloads.ANSWER
    assert (request.method, request.path) == ("POST", "/v1/chat/completions")
    assert request.header("Authorization") == "Bearer sk-upstream"
    assert request.json()["messages"] == [{"role": "user", "content": "hello"}]


async def test_a_stream_has_fifty_chunks_and_done(client: Client, stub_provider: StubProvider) -> None:
    body = await client.stream("gpt-4o-mini")
    assert body.count(b"data: {") == payloads.CHUNKS
    assert body.endswith(payloads.DONE_EVENT)
    assert stub_provider.exchanges[0].events_sent == payloads.CHUNKS + 1
    assert stub_provider.exchanges[0].finished.is_set()


async def test_requests_share_a_connection_that_is_kept_alive(
    client: Client, stub_provider: StubProvider
) -> None:
    await client.stream("gpt-4o-mini")
    await client.stream("fidelity")
    assert [request.connection for request in stub_provider.requests] == [1, 1]
    assert (stub_provider.connections, stub_provider.open_connections) == (1, 1)


async def test_slow_events_come_one_step_at_a_time(client: Client, stub_provider: StubProvider) -> None:
    async with client.post("slow", stream=True) as response:
        stub_provider.gate.step()
        first = await response.content.readuntil(b"\n\n")
        assert stub_provider.exchanges[0].events_sent == 1
        stub_provider.gate.open()
        rest = await response.read()
    assert first + rest == b"".join(payloads.stream_events("slow"))


@pytest.mark.parametrize(
    ("model", "events"),
    [("split-event", payloads.stream_events), ("split-character", payloads.fidelity_events)],
)
async def test_a_split_event_arrives_in_two_parts(
    model: str, events: Callable[[str], list[bytes]], client: Client, stub_provider: StubProvider
) -> None:
    whole = b"".join(events(model))
    two_and_a_bit = len(b"".join(events(model)[:2])) + 10
    async with client.post(model, stream=True) as response:
        received = await response.content.readexactly(two_and_a_bit)
        assert stub_provider.exchanges[0].events_sent == 2
        stub_provider.gate.open()
        received += await response.read()
    assert received == whole


@pytest.mark.parametrize(
    ("model", "ending"),
    [
        ("break-at-event", b"\n\n\r\n"),
        ("break-mid-line", b'"content":" tok\r\n'),
        ("break-unframed", b"\n\n"),
        ("empty-stream-broken", b"\r\n\r\n"),
        ("truncated", b'lazy dog.","r'),
        ("close-before-headers", b""),
    ],
)
async def test_a_broken_answer_ends_early(model: str, ending: bytes, stub_provider: StubProvider) -> None:
    body = payloads.encode({"model": model})
    reader, writer = await asyncio.open_connection("127.0.0.1", stub_provider.port)
    writer.write(b"POST /v1/chat/completions HTTP/1.1\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))
    received = await reader.read()
    writer.close()
    await writer.wait_closed()
    assert received.endswith(ending)
    assert payloads.DONE_EVENT not in received
    assert not stub_provider.exchanges[0].aborted.is_set()


async def test_a_reset_is_a_reset(client: Client, stub_provider: StubProvider) -> None:
    async with client.post("reset-mid-stream", stream=True) as response:
        await response.content.readuntil(b"\n\n")
        stub_provider.gate.open()
        with pytest.raises(aiohttp.ClientError):
            await response.read()


@pytest.mark.parametrize("model", ["hang-before-headers", "hang-after-headers", "hang-mid-stream", "endless"])
async def test_a_client_that_hangs_up_is_noticed(
    model: str, client: Client, stub_provider: StubProvider
) -> None:
    call = asyncio.create_task(client.stream(model))
    exchange = await stub_provider.exchange()
    assert not exchange.aborted.is_set()
    call.cancel()
    await exchange.aborted.wait()
    assert exchange.aborted_at is not None
    assert not exchange.finished.is_set()


@pytest.mark.parametrize("code", [400, 401, 403, 404, 429, 500, 503])
async def test_an_error_has_its_status_and_an_openai_body(code: int, client: Client) -> None:
    async with client.post(f"status-{code}") as response:
        error = (await response.json())["error"]
    assert response.status == code
    assert error.keys() == {"message", "type", "param", "code"}
    assert (response.headers.get("retry-after") == "7") == (code in (429, 503))
    assert ("sk-upstream" in error["message"]) == (code == 401)
    assert (error["code"] == "context_length_exceeded") == (code == 400)


async def test_failures_stop_after_their_number(client: Client) -> None:
    seen = []
    for _ in range(4):
        async with client.post("fail-twice-503") as response:
            seen.append(response.status)
    assert seen == [503, 503, 200, 200]


async def test_a_script_goes_before_the_model_and_registered_behaviour_before_the_catalogue(
    client: Client, stub_provider: StubProvider
) -> None:
    stub_provider.script(behaviours.html, behaviours.status(500))
    stub_provider.on("gzip", behaviours.status(404))
    stub_provider.otherwise = behaviours.invalid_json
    seen = []
    for model in ("gzip", "gzip", "gzip", "other"):
        async with client.post(model) as response:
            seen.append((response.status, response.content_type))
    assert seen == [(200, "text/html"), *[(status, "application/json") for status in (500, 404, 200)]]


@pytest.mark.parametrize(
    ("model", "content_type", "valid"),
    [
        ("gzip", "application/json", True),
        ("html", "text/html", False),
        ("invalid-json", "application/json", False),
        ("empty-body", "application/json", False),
        ("empty-stream", "text/event-stream", False),
        ("rubbish-stream", "text/event-stream", False),
    ],
)
async def test_odd_answers_are_200_at_the_http_level(
    model: str, content_type: str, valid: bool, client: Client
) -> None:
    async with client.post(model) as response:
        body = await response.read()
    try:
        json.loads(body)
        parsed = True
    except ValueError:
        parsed = False
    assert (response.status, response.content_type, parsed) == (200, content_type, valid)


async def test_it_can_refuse_connections_for_a_while(client: Client, stub_provider: StubProvider) -> None:
    await client.stream("gpt-4o-mini")
    await stub_provider.stop()
    with pytest.raises(aiohttp.ClientConnectorError):
        await client.stream("gpt-4o-mini")
    await stub_provider.start()
    assert await client.stream("gpt-4o-mini")


async def test_a_mistake_in_a_behaviour_fails_the_test() -> None:
    async def mistaken(exchange: Exchange) -> None:
        raise RuntimeError(exchange.request.path)

    stub = await StubProvider().start()
    stub.script(mistaken)
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientError):
            await Client(session, stub).stream("gpt-4o-mini")
    with pytest.raises(RuntimeError, match="/v1/chat/completions"):
        await stub.__aexit__(None, None, None)


def test_the_official_client_understands_a_threaded_stub(threaded_stub: ThreadedStub) -> None:
    with openai.OpenAI(base_url=threaded_stub.base_url, api_key="sk-upstream", max_retries=0) as client:
        vectors = client.embeddings.create(model="e", input=["a", "b"], encoding_format="float")
        with client.chat.completions.create(
            model="fidelity", messages=[{"role": "user", "content": "hi"}], stream=True
        ) as chunks:
            calls = [
                call for chunk in chunks for choice in chunk.choices for call in choice.delta.tool_calls or ()
            ]
        assert [vector.embedding[2] for vector in vectors.data] == [0.0, 0.125]
        assert {call.index for call in calls} == {0, 1}
        assert "gpt-4o-mini" in {model.id for model in client.models.list()}
        with pytest.raises(openai.RateLimitError):
            client.chat.completions.create(model="status-429", messages=[])
    assert [request.method for request in threaded_stub.requests] == ["POST", "POST", "GET", "POST"]


def test_a_threaded_stub_notices_a_client_that_hangs_up(threaded_stub: ThreadedStub) -> None:
    with openai.OpenAI(base_url=threaded_stub.base_url, api_key="sk", max_retries=0) as client:
        chunks = client.chat.completions.create(
            model="slow", messages=[{"role": "user", "content": "hi"}], stream=True
        )
        threaded_stub.step(2)
        next(iter(chunks))
        chunks.close()
    assert threaded_stub.wait_aborted().events_sent == 2
