"""The built-in provider in Anthropic's dialect, read by the types of the official client."""

import asyncio
from typing import Any

import orjson
import pytest
from anthropic.types import Message, RawMessageStreamEvent
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from tests.proxy.providers.asking_the_mock import OPENING, Received, receive
from tests.proxy.providers.test_mock_properties import JSON_VALUES, TEXTS

PATH = "/messages"
EVENT: TypeAdapter[RawMessageStreamEvent] = TypeAdapter(RawMessageStreamEvent)
WEATHER = {
    "name": "get_weather",
    "input_schema": {
        "type": "object",
        "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
        "required": ["city", "days"],
    },
}


def body_of(*turns: str | dict[str, Any], **fields: Any) -> bytes:
    said = [{"role": "user", "content": turn} if isinstance(turn, str) else turn for turn in turns]
    return orjson.dumps({"model": "claude", "max_tokens": 1_000, "messages": said, **fields})


async def message(*turns: str | dict[str, Any], **fields: Any) -> Message:
    received = await receive(body_of(*turns, **fields), PATH)
    assert received.status == 200, received.body
    return Message.model_validate_json(received.body)


async def said(*turns: str | dict[str, Any], **fields: Any) -> str:
    [block] = (await message(*turns, **fields)).content
    assert block.type == "text"
    return block.text


def events(received: Received) -> list[dict[str, Any]]:
    """The events of a stream, each under the name it says it has."""
    found = []
    for chunk in received.chunks:
        name, data, *rest = chunk.decode().split("\n")
        assert rest == ["", ""]
        event = orjson.loads(data.removeprefix("data: "))
        assert name == f"event: {event['type']}"
        found.append(event)
    return found


def assembled(told: list[dict[str, Any]]) -> Message:
    """The message that a stream amounts to."""
    whole = told[0]["message"]
    for event in told:
        if event["type"] == "content_block_start":
            whole["content"].append({**event["content_block"], "json": ""})
        elif event["type"] == "content_block_delta":
            block, delta = whole["content"][event["index"]], event["delta"]
            if delta["type"] == "text_delta":
                block["text"] += delta["text"]
            else:
                block["json"] += delta["partial_json"]
        elif event["type"] == "content_block_stop":
            block = whole["content"][event["index"]]
            if written := block.pop("json"):
                block["input"] = orjson.loads(written)
        elif event["type"] == "message_delta":
            whole.update(event["delta"])
            whole["usage"].update(event["usage"])
    return Message.model_validate(whole)


async def test_it_repeats_what_was_said() -> None:
    answer = await message("Hello!")
    assert await said("Hello!") == f'{OPENING} You said: "Hello!"'
    assert (answer.stop_reason, answer.stop_sequence, answer.model) == ("end_turn", None, "claude")
    assert (answer.usage.input_tokens, answer.usage.cache_read_input_tokens) == (1, 0)
    assert answer.usage.output_tokens == len(f'{OPENING} You said: "Hello!"'.split())


@pytest.mark.parametrize(
    "fields",
    [
        {"system": "Grace plays the cello. It rains."},
        {"system": [{"type": "text", "text": "Grace plays the cello."}]},
    ],
)
async def test_it_quotes_the_system_prompt(fields: dict[str, Any]) -> None:
    assert 'From the context I was given: "Grace plays the cello."' in await said(
        "What does Grace play?", **fields
    )


async def test_it_quotes_what_stands_before_the_question_in_the_same_turn() -> None:
    blocks = [
        {"type": "text", "text": "<memory>Grace plays the cello.</memory>"},
        {"type": "text", "text": "What does Grace play?"},
    ]
    assert await said({"role": "user", "content": blocks}) == (
        f'{OPENING} You said: "What does Grace play?" From the context I was given: "Grace plays the cello."'
    )


async def test_it_counts_what_was_sent_along() -> None:
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}
    document = {"type": "document", "source": {"type": "url", "url": "http://h/a.pdf"}}
    text = {"type": "text", "text": "See?"}
    turn = {"role": "user", "content": [image, text, document, image]}
    assert 'You said: "See?" and 2 images and 1 document.' in await said(turn)


async def test_it_stops_where_it_is_told_to() -> None:
    cut = await message("Hello!", max_tokens=3)
    assert (cut.stop_reason, cut.content[0].type) == ("max_tokens", "text")
    stopped = await message("one two three", stop_sequences=["three", "two", "", "x", "y", "z"])
    assert (stopped.stop_reason, stopped.stop_sequence) == ("stop_sequence", "two")


@pytest.mark.parametrize(
    ("choice", "calls"),
    [
        (None, ["get_weather"]),
        ({"type": "auto"}, ["get_weather"]),
        ({"type": "any"}, ["get_weather"]),
        ({"type": "tool", "name": "get_time"}, ["get_time"]),
        ({"type": "none"}, []),
    ],
)
async def test_it_calls_a_tool(choice: dict[str, str] | None, calls: list[str]) -> None:
    time = {"name": "get_time", "input_schema": {"type": "object"}}
    search = {"type": "web_search_20250305", "name": "web_search"}
    answer = await message(
        "Use get_weather and web_search.", tools=[search, WEATHER, time], tool_choice=choice
    )
    called = [block for block in answer.content if block.type == "tool_use"]
    assert [block.name for block in called] == calls
    assert answer.stop_reason == ("tool_use" if calls else "end_turn")
    if calls == ["get_weather"]:
        assert called[0].input == {"city": "city", "days": 1}


async def test_it_tells_what_a_tool_answered_and_calls_it_no_more() -> None:
    call = {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {"city": "Bern"}}
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "Rain."}
    turns: list[str | dict[str, Any]] = [
        "Use get_weather.",
        {"role": "assistant", "content": [{"type": "text", "text": "Let me look."}, call]},
        {"role": "user", "content": [result]},
    ]
    text = await said(*turns, tools=[WEATHER], tool_choice={"type": "any"})
    assert text == f'{OPENING} The tool get_weather answered: "Rain."'


@pytest.mark.parametrize(
    "fields", [{}, {"tools": [WEATHER], "tool_choice": {"type": "any"}}, {"max_tokens": 3}]
)
async def test_a_stream_amounts_to_the_whole_answer(fields: dict[str, Any]) -> None:
    whole = await message("Hello there!", **fields)
    told = events(await receive(body_of("Hello there!", stream=True, **fields), PATH))
    assert [event["type"] for event in told[:3]] == ["message_start", "ping", "content_block_start"]
    assert [event["type"] for event in told[-2:]] == ["message_delta", "message_stop"]
    for event in told:
        if event["type"] != "ping":
            EVENT.validate_python(event)
    streamed = assembled(told)
    ids = {"id": "", "content": []}
    assert streamed.model_copy(update=ids) == whole.model_copy(update=ids)
    without = {"id"}
    assert [block.model_dump(exclude=without) for block in streamed.content] == [
        block.model_dump(exclude=without) for block in whole.content
    ]


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"max_tokens": None}, "'max_tokens'"),
        ({"messages": []}, "'messages'"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "'messages[0].role'"),
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "needs 'text'"),
        ({"tools": [{"name": "a b"}]}, "tools[0].name"),
        ({"tool_choice": {"type": "some"}}, "tool_choice.type"),
    ],
)
async def test_what_is_not_of_the_interface_is_refused_in_its_words(
    fields: dict[str, Any], says: str
) -> None:
    received = await receive(body_of("Hello!", **fields), PATH)
    answer = orjson.loads(received.body)
    assert (received.status, answer["type"], answer["error"]["type"]) == (
        400,
        "error",
        "invalid_request_error",
    )
    assert says in answer["error"]["message"]


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (429, "rate_limit_error"),
        (500, "api_error"),
        (529, "overloaded_error"),
    ],
)
async def test_some_models_ask_for_trouble(status: int, kind: str) -> None:
    received = await receive(body_of("Hello!", model=f"mock-error-{status}"), PATH)
    assert (received.status, orjson.loads(received.body)["error"]["type"]) == (status, kind)
    assert received.headers.get("Retry-After") == ("1" if status == 429 else None)


BLOCKS = st.one_of(
    st.fixed_dictionaries({"type": st.just("text"), "text": TEXTS}),
    st.fixed_dictionaries({"type": st.sampled_from(["image", "document", "x"]), "source": JSON_VALUES}),
    st.fixed_dictionaries(
        {"type": st.just("tool_result"), "tool_use_id": TEXTS},
        optional={
            "content": TEXTS | st.lists(st.fixed_dictionaries({"type": st.just("text"), "text": TEXTS}))
        },
    ),
    st.fixed_dictionaries(
        {"type": st.just("tool_use"), "id": TEXTS, "name": TEXTS},
        optional={"input": st.dictionaries(st.text(max_size=4), JSON_VALUES, max_size=2)},
    ),
)
REQUESTS = st.fixed_dictionaries(
    {
        "model": TEXTS.filter(bool),
        "max_tokens": st.integers(1, 30),
        "messages": st.lists(
            st.fixed_dictionaries(
                {
                    "role": st.sampled_from(["user", "assistant", "system"]),
                    "content": TEXTS | st.lists(BLOCKS, max_size=4),
                }
            ),
            min_size=1,
            max_size=4,
        ),
    },
    optional={
        "stream": st.booleans(),
        "system": TEXTS | st.lists(st.fixed_dictionaries({"type": st.just("text"), "text": TEXTS})),
        "stop_sequences": st.lists(TEXTS, max_size=6),
        "tools": st.lists(
            st.fixed_dictionaries(
                {"name": st.sampled_from(["a", "b" * 128])}, optional={"input_schema": st.just({})}
            ),
            max_size=2,
        ),
        "tool_choice": st.fixed_dictionaries(
            {"type": st.sampled_from(["auto", "any", "tool", "none"])},
            optional={"name": TEXTS, "disable_parallel_tool_use": st.booleans()},
        ),
    },
)


@settings(deadline=None)
@given(REQUESTS)
def test_every_request_of_the_interface_is_answered_the_same_way_each_time(request: dict[str, Any]) -> None:
    body = orjson.dumps(request)
    first, second = (asyncio.run(receive(body, PATH)) for _ in range(2))
    assert first.status == 200
    assert first.body == second.body
    told = assembled(events(first)) if request.get("stream") else Message.model_validate_json(first.body)
    assert told.stop_reason is not None


@settings(deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["model", "messages", "max_tokens", "system", "tools", "stream"]), JSON_VALUES
    )
)
def test_any_json_has_an_answer(request: dict[str, Any]) -> None:
    assert asyncio.run(receive(orjson.dumps(request), PATH)).status in (200, 400)
