"""The built-in provider fails on request, and refuses what OpenAI would refuse."""

import asyncio
from typing import Any

import orjson
import pytest
from openai.types import Model
from openai.types.chat import ChatCompletionChunk

from ibex.http1 import BrokenAnswerError
from ibex.proxy.providers.base import Provider
from ibex.proxy.providers.mock import MockProvider
from tests.proxy.providers.asking_the_mock import chat, chat_body, receive, send

CLOCK = {"type": "function", "function": {"name": "clock"}}


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 503, 599])
async def test_a_model_name_asks_for_an_error(status: int) -> None:
    for path, body in (
        ("/chat/completions", chat_body("hi", model=f"mock-error-{status}", stream=True)),
        ("/embeddings", orjson.dumps({"model": f"mock-error-{status}", "input": "hi"})),
    ):
        received = await receive(body, path)
        assert received.status == status
        assert received.error.message == f"The mock model was asked to answer {status}."
        assert received.headers.get("content-type") == "application/json"
        assert received.headers.get("retry-after") == ("1" if status == 429 else None)


async def test_a_name_that_is_no_error_status_is_a_model_like_any() -> None:
    for name in ("mock-error-200", "mock-error-600", "mock-error-"):
        assert (await chat("hi", model=name)).model == name


@pytest.mark.parametrize("stream", [True, False])
async def test_mock_break_breaks_off_before_the_end(stream: bool) -> None:
    response = await send(chat_body("hi", model="mock-break", stream=stream))
    received: list[bytes] = []

    async def read() -> None:
        while chunk := await response.read_chunk():
            received.append(chunk)

    with pytest.raises(BrokenAnswerError):
        await read()
    assert response.status == 200
    if stream:
        assert [
            ChatCompletionChunk.model_validate_json(event[6:]).choices[0].delta.content for event in received
        ] == [
            "",
            "This ",
        ]
    else:
        whole = (await receive(chat_body("hi", model="mock-break2"))).body
        assert received[0].startswith(b'{"id":')
        assert len(received[0]) < len(whole)


async def test_mock_hang_can_only_be_cancelled() -> None:
    sending = send(chat_body("hi", model="mock-hang"))
    done, _ = await asyncio.wait([sending], timeout=0.05)
    assert not done
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending


async def test_mock_slow_takes_its_time_and_the_others_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    sleep = asyncio.sleep

    async def counted_sleep(delay: float) -> None:
        slept.append(delay)
        await sleep(0)

    monkeypatch.setattr(asyncio, "sleep", counted_sleep)
    received = await receive(chat_body("hi", model="mock-slow", stream=True))
    assert slept == [0.05] * (len(received.chunks) + 1)
    slept.clear()
    await receive(chat_body("hi", stream=True))
    assert set(slept) == {0}


async def test_every_read_lets_others_run() -> None:
    response = await send(chat_body("hi", stream=True))
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    reads = 0
    while await response.read_chunk():
        reads += 1
        assert turns >= reads
    counting.cancel()


async def test_what_was_closed_half_way_is_broken_and_what_was_complete_is_not() -> None:
    response = await send(chat_body("hi", stream=True))
    await response.read_chunk()
    response.close()
    with pytest.raises(BrokenAnswerError):
        await response.read_chunk()
    response = await send(chat_body("hi"))
    while await response.read_chunk():
        pass
    response.close()
    assert await response.read_chunk() == b""


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"model": None}, "model"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "king", "content": "hi"}]}, "messages[0].role"),
        ({"messages": [{"role": "user"}]}, "messages[0]"),
        ({"messages": [{"role": "tool", "content": "hi"}]}, "messages[0]"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages[0].content[0]"),
        ({"messages": [{"role": "user", "content": [{}]}]}, "messages[0].content[0].type"),
        ({"n": 0}, "n"),
        ({"n": "1"}, "n"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"stream": "yes"}, "stream"),
        ({"stop": [1]}, "stop[0]"),
        ({"tools": [{"type": "function", "function": {"name": "a b"}}]}, "tools[0].function.name"),
        ({"tool_choice": "sometimes"}, "tool_choice"),
        ({"tool_choice": {"type": "custom"}}, "tool_choice"),
        ({"tool_choice": "required"}, None),
        ({"stream_options": {"include_usage": True}}, None),
        (
            {"tools": [CLOCK], "tool_choice": {"type": "function", "function": {"name": "absent"}}},
            None,
        ),
    ],
)
async def test_a_malformed_chat_request_is_refused_as_a_provider_would(
    fields: dict[str, Any], param: str | None
) -> None:
    received = await receive(chat_body("hi", **fields))
    assert received.status == 400
    assert (received.error.type, received.error.param) == ("invalid_request_error", param)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"hi"', b'{"model": "\xff"}', b"[" * 2_000])
async def test_what_is_no_json_object_is_refused(body: bytes) -> None:
    for path in ("/chat/completions", "/embeddings"):
        assert (await receive(body, path)).status == 400


async def test_an_unknown_path_is_not_found() -> None:
    received = await receive(chat_body("hi"), "/images/generations")
    assert received.status == 404
    assert received.error.message == "Invalid URL (POST /images/generations)"


async def test_it_lists_itself() -> None:
    provider: Provider = MockProvider("demo")
    [model] = await provider.models()
    assert Model.model_validate(model).owned_by == "demo"
    await provider.close()
