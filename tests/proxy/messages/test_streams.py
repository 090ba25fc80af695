"""A stream of messages is what the provider sent, and one that does not end well says so in its dialect."""

import asyncio
import time
from collections.abc import AsyncIterator

import anthropic as sdk
import orjson
import pytest
import pytest_asyncio
from anthropic.types import RawMessageStreamEvent

from tests.providers import messages
from tests.providers.behaviours import Behaviour
from tests.proxy.conftest import Standing
from tests.proxy.messages.asking import (
    ANTHROPIC_ALONE,
    MESSAGES,
    anthropic,
    asked,
    asked_bytes,
    assert_still_works,
)
from tests.proxy.records import turn
from tests.proxy.wire import connect, head

pytestmark = pytest.mark.asyncio(loop_scope="module")

SETTINGS = ANTHROPIC_ALONE


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def _goes_on(standing: Standing) -> AsyncIterator[None]:
    yield
    await assert_still_works(standing.service)


async def stream(standing: Standing, model: str, session: str = "s") -> bytes:
    async with standing.service.http() as client:
        response = await client.post(
            MESSAGES, json=asked(model, stream=True), headers={"X-IBEX-Session-ID": session}
        )
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    return response.content


async def read(standing: Standing, model: str) -> list[RawMessageStreamEvent]:
    async with anthropic(standing.service) as client:
        events = await client.messages.create(
            model=model, max_tokens=9, messages=[{"role": "user", "content": "hello"}], stream=True
        )
        return [event async for event in events]


async def test_every_byte_of_a_stream_is_forwarded(standing: Standing) -> None:
    standing.stub.on_messages("tooling", messages.tool_use)
    assert await stream(standing, "tooling", "tooling") == b"".join(messages.tool_events("tooling"))
    row = await turn(standing.database, "tooling")
    assert (row["finish_reason"], row["output_tokens"]) == ("tool_use", messages.WRITTEN)


@pytest.mark.parametrize("size", [1, 3, 100])
async def test_it_does_not_matter_how_a_stream_is_cut_up(standing: Standing, size: int) -> None:
    whole = b"".join(messages.tool_events("cut"))
    standing.stub.on_messages(
        "cut", messages.saying(*(whole[start : start + size] for start in range(0, len(whole), size)))
    )
    assert await stream(standing, "cut", f"cut-{size}") == whole
    row = await turn(standing.database, f"cut-{size}")
    assert (row["outcome"], row["input_tokens"], row["cached_tokens"]) == (
        "ok",
        messages.READ,
        messages.CACHED,
    )


@pytest.mark.parametrize(
    "end",
    [
        b'event: message_stop\ndata: {"type":"message_stop"}\n\n',
        b'event: message_stop\r\ndata: {"type":"message_stop"}\r\n\r\n',
        b'event:message_stop\ndata:{"type":"message_stop"}\n\n: bye\n\n',
        b'data: {"type": "message_stop"}\n\n',
        b'event: message_stop\ndata: {"type":"message_stop"' + b" " * 500 + b"}\n\n",
        b'event: message_stop\ndata: {"type":"message_stop","metrics":{"latency":7}}\n\n',
    ],
    ids=["plain", "crlf", "comment", "unnamed", "padded", "metrics"],
)
async def test_any_way_to_write_the_end_is_one(standing: Standing, end: bytes) -> None:
    whole = b"".join(messages.stream_events("ended")[:-1]) + end
    standing.stub.on_messages("ended", messages.saying(whole))
    assert await stream(standing, "ended") == whole


async def test_a_model_that_only_speaks_of_the_end_has_not_ended(standing: Standing) -> None:
    delta = {"type": "text_delta", "text": '\ndata: {"type":"message_stop"}'}
    told = messages.event("content_block_delta", index=0, delta=delta)
    standing.stub.on_messages("quoting", messages.saying(*messages.stream_events("quoting")[:4], told))
    with pytest.raises(sdk.APIStatusError, match="broke off"):
        await read(standing, "quoting")


async def test_each_event_arrives_before_the_next_is_sent(standing: Standing) -> None:
    events = messages.stream_events("slow")
    standing.stub.on_messages("slow", messages.slow)
    async with connect(standing.service) as wire:
        body = asked_bytes("slow", stream=True)
        await wire.send(head(standing.service, f"Content-Length: {len(body)}", path=MESSAGES) + body)
        exchange = await standing.stub.exchange(len(standing.stub.exchanges))
        standing.stub.gate.step()
        await wire.head()
        for number, event in enumerate(events, start=1):
            assert await wire.chunk() == event
            assert exchange.events_sent == number
            standing.stub.gate.step()
        assert await wire.chunk() == b""


@pytest.mark.parametrize(
    ("name", "behaviour", "code", "says"),
    [
        (
            "broken",
            messages.break_at_event,
            "PROVIDER_ERROR",
            "The provider `anthropic` broke off its answer.",
        ),
        ("unended", messages.no_stop, "PROVIDER_ERROR", "The provider `anthropic` broke off its answer."),
        (
            "silent",
            messages.hang_mid_stream,
            "PROVIDER_TIMEOUT",
            "The provider `anthropic` fell silent for 1 s.",
        ),
    ],
)
async def test_a_stream_that_is_cut_off_ends_in_an_error_that_the_client_raises(
    standing: Standing, name: str, behaviour: Behaviour, code: str, says: str
) -> None:
    standing.stub.on_messages(name, behaviour)
    with pytest.raises(sdk.APIStatusError) as raised:
        await read(standing, name)
    assert (raised.value.error_code, raised.value.api_message) == (code, says)
    whole = await stream(standing, name, name)
    last = whole.rpartition(b"event: error\ndata: ")[2]
    assert orjson.loads(last)["error"]["code"] == code
    assert whole.endswith(b"\n\n")
    row = await turn(standing.database, name)
    assert (row["outcome"], row["error_code"]) == ("broken", code)
    # What was read is known from the start of the stream; what was written is counted.
    if name != "unended":
        assert (row["usage_source"], row["output_tokens"]) == ("estimated", messages.HALF - 3)
    assert (row["input_tokens"], row["model_served"]) == (messages.READ, name)


async def test_an_error_of_the_providers_in_a_stream_is_raised_as_it_is(standing: Standing) -> None:
    standing.stub.on_messages("overloaded", messages.error_event)
    with pytest.raises(sdk.APIStatusError) as raised:
        await read(standing, "overloaded")
    assert (raised.value.type, raised.value.api_message) == ("overloaded_error", "Overloaded")


async def test_a_client_that_leaves_ends_the_call(standing: Standing) -> None:
    standing.stub.on_messages("left", messages.hang_mid_stream)
    async with connect(standing.service) as wire:
        body = asked_bytes("left", stream=True)
        lines = (f"Content-Length: {len(body)}", "X-IBEX-Session-ID: left")
        await wire.send(head(standing.service, *lines, path=MESSAGES) + body)
        await wire.head()
        exchange = standing.stub.exchanges[-1]
        left_at = time.monotonic()
        wire.reset()
        async with asyncio.timeout(5):
            await exchange.aborted.wait()
    assert exchange.aborted_at is not None
    assert exchange.aborted_at - left_at < 1.0
    row = await turn(standing.database, "left")
    assert (row["status"], row["outcome"]) == (200, "client_gone")


async def test_a_client_that_leaves_at_the_end_of_the_stream_has_everything(standing: Standing) -> None:
    standing.stub.on_messages("lingering", messages.lingering)
    async with connect(standing.service) as wire:
        body = asked_bytes("lingering", stream=True)
        lines = (f"Content-Length: {len(body)}", "X-IBEX-Session-ID: lingering")
        await wire.send(head(standing.service, *lines, path=MESSAGES) + body)
        await wire.head()
        received = b""
        while b"message_stop" not in received:
            received += await wire.chunk()
        wire.close()
        row = await turn(standing.database, "lingering")
    assert (row["outcome"], row["finish_reason"]) == ("ok", "end_turn")
