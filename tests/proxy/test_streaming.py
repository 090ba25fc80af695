"""A stream is what the provider sent: every byte, as soon as it is there, and no faster than it is read."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.faults.waiting import until
from tests.providers import payloads
from tests.providers.behaviours import Behaviour
from tests.providers.exchange import Exchange
from tests.proxy.asking import CHAT, assert_still_works, chat, chat_bytes
from tests.proxy.conftest import Standing
from tests.proxy.records import turn
from tests.proxy.wire import connect, post

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def _goes_on(standing: Standing) -> AsyncIterator[None]:
    yield
    await assert_still_works(standing.service)


def saying(*parts: bytes) -> Behaviour:
    """A behaviour that sends these parts, each as an HTTP chunk."""

    async def say(exchange: Exchange) -> None:
        await exchange.open_stream()
        for part in parts:
            await exchange.part(part)
        await exchange.end_stream()

    return say


async def stream(standing: Standing, model: str, session: str = "s") -> bytes:
    async with standing.service.http() as client:
        response = await client.post(
            CHAT, json=chat(model, stream=True), headers={"X-IBEX-Session-ID": session}
        )
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    return response.content


async def test_every_byte_of_a_stream_is_forwarded(standing: Standing) -> None:
    """Tool calls, reasoning, vendor fields, comments, usage, `[DONE]`."""
    assert await stream(standing, "fidelity") == b"".join(payloads.fidelity_events("fidelity"))


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
async def test_it_does_not_matter_how_a_stream_is_cut_up(standing: Standing, size: int) -> None:
    whole = b"".join(payloads.fidelity_events("cut"))
    parts = [whole[start : start + size] for start in range(0, len(whole), size)]
    standing.stub.on("cut", saying(*parts))
    assert await stream(standing, "cut", f"cut-{size}") == whole
    row = await turn(standing.database, f"cut-{size}")
    assert (row["outcome"], row["input_tokens"], row["output_tokens"]) == ("ok", 57, 113)


@pytest.mark.parametrize(
    "whole",
    [
        b'data: {"a":1}\r\n\r\ndata: [DONE]\r\n\r\n',
        b'\xef\xbb\xbfdata: {"a":1}\n\ndata: [DONE]\n\n',
        b'\n\n\ndata: {"a":1}\n\ndata: [DONE]\n\n',
        b'event: x\nid: 1\nretry: 10\ndata: {"a":1}\n\n:\n\ndata: [DONE]\n\n',
        b'data:{"a":1}\n\ndata:[DONE]\n\n',
        b'data: {"a":1}\n\ndata: [DONE]',
        b'data: {"a":1}\n\ndata: [DONE]\n\n: and goodbye\n\n',
        b'data: {"a":"' + b"x" * 600_000 + b'"}\n\ndata: [DONE]\n\n',
        b'data: {"a":1}\n\n' + b": \xff\xfe\x00\n\n" + b"data: [DONE]\n\n",
    ],
)
async def test_any_way_to_write_events_is_forwarded(standing: Standing, whole: bytes) -> None:
    standing.stub.on("written", saying(whole[:5], whole[5:10], whole[10:]))
    assert await stream(standing, "written") == whole


async def test_each_event_arrives_before_the_next_is_sent(standing: Standing) -> None:
    events = payloads.stream_events("slow")
    async with connect(standing.service) as wire:
        await wire.send(post(standing.service, chat_bytes("slow", stream=True)))
        exchange = await standing.stub.exchange(len(standing.stub.exchanges))
        standing.stub.gate.step()
        await wire.head()
        for number, event in enumerate(events, start=1):
            assert await wire.chunk() == event
            assert exchange.events_sent == number
            standing.stub.gate.step()
        assert await wire.chunk() == b""


@pytest.mark.parametrize("model", ["split-event", "split-character"])
async def test_an_event_that_comes_in_two_parts_is_not_torn(standing: Standing, model: str) -> None:
    events = (payloads.stream_events if model == "split-event" else payloads.fidelity_events)(model)
    async with connect(standing.service) as wire:
        await wire.send(post(standing.service, chat_bytes(model, stream=True)))
        await wire.head()
        received = b""
        while len(received) < len(events[0] + events[1]):
            received += await wire.chunk()
        assert received == events[0] + events[1]
        standing.stub.gate.step()
        while chunk := await wire.chunk():
            received += chunk
    assert received == b"".join(events)


async def test_a_client_that_does_not_read_holds_the_provider_back(standing: Standing) -> None:
    async with connect(standing.service) as wire:
        await wire.send(post(standing.service, chat_bytes("endless", stream=True)))
        exchange = await standing.stub.exchange(len(standing.stub.exchanges))
        await wire.head()
        # What the stub still sends fills buffers; it has stopped when many looks in a row see the same.
        looks: list[int] = []

        def has_stopped() -> bool:
            looks.append(exchange.events_sent)
            return len(looks) > 40 and len(set(looks[-40:])) == 1

        await until(has_stopped, seconds=20)
        held = exchange.events_sent
        assert held * 3_000 < 16 << 20, "each event has 3 kB"
        read = 0
        while exchange.events_sent <= held:
            read += len(await wire.chunk())
        assert read > 0


async def test_a_slow_reader_gets_everything_in_the_end(standing: Standing) -> None:
    events = [payloads.sse_event(payloads.chunk("long", {"content": f"{i} " * 500})) for i in range(2_000)]
    standing.stub.on("long", saying(*events, payloads.DONE_EVENT))
    async with connect(standing.service) as wire:
        await wire.send(post(standing.service, chat_bytes("long", stream=True), "X-IBEX-Session-ID: long"))
        await wire.head()
        received = bytearray()
        while chunk := await wire.chunk():
            received += chunk
            await asyncio.sleep(0)
    assert bytes(received) == b"".join(events) + payloads.DONE_EVENT
    row = await turn(standing.database, "long")
    assert (row["outcome"], row["response_bytes"]) == ("ok", len(received))
    assert (row["usage_source"], row["model_served"]) == ("estimated", "long")


async def test_tool_calls_are_assembled_by_the_official_client(standing: Standing) -> None:
    async with standing.service.openai() as client:
        stream = await client.chat.completions.create(
            model="fidelity", messages=[{"role": "user", "content": "hello"}], stream=True
        )
        arguments: dict[int, str] = {}
        names: dict[int, str] = {}
        async for chunk in stream:
            for choice in chunk.choices:
                for call in choice.delta.tool_calls or ():
                    assert call.function is not None
                    arguments[call.index] = arguments.get(call.index, "") + (call.function.arguments or "")
                    names[call.index] = call.function.name or names[call.index]
        usage = chunk.usage
    assert names == {0: "get_weather", 1: "get_time"}
    assert {index: json.loads(text) for index, text in arguments.items()} == {0: {"city": "Paris"}, 1: {}}
    assert usage is not None
    assert (usage.prompt_tokens, usage.completion_tokens) == (57, 113)


async def test_many_streams_at_once_do_not_mix(standing: Standing) -> None:
    async def one(number: int) -> None:
        model = f"stream-{number}"
        async with standing.service.http() as client:
            response = await client.post(CHAT, json=chat(model, stream=True))
        assert response.content == b"".join(payloads.stream_events(model))

    await asyncio.gather(*(one(number) for number in range(50)))
