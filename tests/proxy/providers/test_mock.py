"""The built-in provider gives OpenAI's shapes, shows its context, and is the same every time."""

import asyncio
import base64
import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types import CreateEmbeddingResponse, Model
from openai.types.chat import ChatCompletion, ChatCompletionChunk, ChatCompletionMessageFunctionToolCall
from openai.types.shared import ErrorObject

from ibex.proxy.providers.base import BrokenAnswerError, Provider, ProviderRequest, ProviderResponse
from ibex.proxy.providers.mock import MockProvider

OPENING = "This is IBEX's built-in mock model; no provider is configured."
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string"},
                "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]},
                "days": {"type": "integer"},
                "wind": {"type": "number"},
                "alerts": {"type": "boolean"},
                "hours": {"type": "array", "items": {"type": "integer"}},
                "place": {"$ref": "#/$defs/Place"},
                "note": {"type": "string"},
            },
            "required": ["city", "unit", "days", "wind", "alerts", "hours", "place"],
            "$defs": {
                "Place": {
                    "type": "object",
                    "properties": {"name": {"anyOf": [{"type": "string"}, {"type": "null"}]}},
                    "required": ["name"],
                }
            },
        },
    },
}
CLOCK = {"type": "function", "function": {"name": "clock"}}


@dataclass(frozen=True)
class Received:
    """An answer that was read to its end."""

    status: int
    headers: Mapping[str, str]
    chunks: list[bytes]

    @property
    def body(self) -> bytes:
        return b"".join(self.chunks)

    @property
    def events(self) -> list[ChatCompletionChunk]:
        *events, done = self.chunks
        assert done == b"data: [DONE]\n\n"
        return [
            ChatCompletionChunk.model_validate_json(event.removeprefix(b"data: "), strict=True)
            for event in events
        ]

    @property
    def completion(self) -> ChatCompletion:
        return ChatCompletion.model_validate_json(self.body, strict=True)

    @property
    def error(self) -> ErrorObject:
        return ErrorObject.model_validate(orjson.loads(self.body)["error"])


def send(body: bytes, path: str = "/chat/completions") -> "asyncio.Task[ProviderResponse]":
    provider: Provider = MockProvider()
    request = ProviderRequest(path, body, "mock", streams=False)
    return asyncio.ensure_future(provider.send(request))


async def receive(body: bytes, path: str = "/chat/completions") -> Received:
    response = await send(body, path)
    chunks = []
    while chunk := await response.read_chunk():
        chunks.append(chunk)
    response.close()
    return Received(response.status, response.headers, chunks)


def chat_body(*messages: str | dict[str, Any], **fields: Any) -> bytes:
    said = [{"role": "user", "content": m} if isinstance(m, str) else m for m in messages]
    return orjson.dumps({"model": "gpt-4o", "messages": said, **fields})


async def chat(*messages: str | dict[str, Any], **fields: Any) -> ChatCompletion:
    received = await receive(chat_body(*messages, **fields))
    assert received.status == 200, received.body
    return received.completion


async def text_of(*messages: str | dict[str, Any], **fields: Any) -> str:
    return (await chat(*messages, **fields)).choices[0].message.content or ""


async def test_it_says_what_it_is_and_what_it_heard() -> None:
    completion = await chat("Grüezi 🦌")
    assert completion.choices[0].message.content == f'{OPENING} You said: "Grüezi 🦌"'
    assert completion.choices[0].finish_reason == "stop"
    assert completion.model == "gpt-4o"
    assert completion.usage is not None
    assert (completion.usage.prompt_tokens, completion.usage.completion_tokens) == (2, 14)
    assert completion.usage.total_tokens == 16


async def test_a_question_is_answered_with_the_sentences_that_share_its_words() -> None:
    memories = (
        '<memories nonce="x7">\n- The user\'s dog is called Rex.\n- Anna lives in Zürich. She likes tea.\n'
        "- What is the dog called?\n</memories>"
    )
    said = await text_of({"role": "system", "content": memories}, "What is my dog called, and where is ANNA?")
    assert said.endswith(
        'From the context I was given: "The user\'s dog is called Rex." "Anna lives in Zürich."'
    )
    assert await text_of({"role": "system", "content": memories}, "My dog sleeps.") == (
        f'{OPENING} You said: "My dog sleeps."'
    )
    assert "From the context" not in await text_of({"role": "system", "content": memories}, "Why?")


async def test_it_quotes_earlier_turns_but_not_its_own_echo() -> None:
    fact, question = "I moved to Bern in May.", "Which city did I move to? Was it Bern?"
    first_answer = await text_of(fact)
    assert fact in first_answer
    said = await text_of(fact, {"role": "assistant", "content": first_answer}, question)
    assert said == f'{OPENING} You said: "{question}" From the context I was given: "{fact}"'


async def test_it_quotes_three_sentences_at_most_and_the_best_first() -> None:
    context = "Tea is hot.\nTea is green.\nTea is old.\nTea is grown in Assam."
    newer = {"role": "assistant", "content": "Tea sells."}
    question = "Is tea grown in Assam, or old?"
    said = await text_of({"role": "developer", "content": context}, newer, question)
    assert said.endswith('"Tea is grown in Assam." "Tea is old." "Tea sells."')


async def test_parts_that_are_not_text_are_counted() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:,"}}
    text = {"type": "text", "text": "Look."}
    assert (await text_of({"role": "user", "content": [text, image]})).endswith(
        'You said: "Look." and 1 image.'
    )
    assert (await text_of({"role": "user", "content": [image, image]})).endswith("You sent 2 images.")


async def test_an_answer_does_not_grow_with_the_request() -> None:
    assert len(await text_of("word " * 100_000)) < 5_000


@pytest.mark.parametrize("include_usage", [True, False])
async def test_a_stream_is_the_same_answer_in_pieces(include_usage: bool) -> None:
    body = chat_body("one two", stream=True, stream_options={"include_usage": include_usage})
    received = await receive(body)
    assert received.headers.get("content-type") == "text/event-stream; charset=utf-8"
    events = received.events
    choices = [event.choices[0] for event in events if event.choices]
    assert choices[0].delta.role == "assistant"
    assert choices[0].delta.content == ""
    words = [choice.delta.content or "" for choice in choices[1:-1]]
    assert "".join(words) == await text_of("one two")
    assert words[-2:] == ['"one ', 'two"']
    assert [choice.finish_reason for choice in choices if choice.finish_reason] == ["stop"]
    assert choices[-1].delta.content is None
    without_choices = [event for event in events if not event.choices]
    assert without_choices == (events[-1:] if include_usage else [])
    if include_usage:
        assert events[-1].usage == (await chat("one two")).usage
    assert (b'"usage"' in received.chunks[0]) is include_usage
    assert len({(event.id, event.created, event.model) for event in events}) == 1


async def test_choices_limits_and_stop_sequences() -> None:
    completion = await chat("hello", n=3, max_completion_tokens=4)
    assert [choice.index for choice in completion.choices] == [0, 1, 2]
    assert {choice.message.content for choice in completion.choices} == {"This is IBEX's built-in"}
    assert {choice.finish_reason for choice in completion.choices} == {"length"}
    assert completion.usage is not None
    assert completion.usage.completion_tokens == 12
    stopped = (await chat("hello", stop=["model", "hello"])).choices[0]
    assert (stopped.message.content, stopped.finish_reason) == ("This is IBEX's built-in mock ", "stop")
    assert (await chat("hello", max_tokens=500, stop="absent")).choices[0].finish_reason == "stop"


async def test_json_is_answered_where_json_is_asked_for() -> None:
    system = {"role": "system", "content": "The launch is on Friday."}
    asked_object = await text_of(system, "When is the launch?", response_format={"type": "json_object"})
    assert orjson.loads(asked_object)["from_context"] == ["The launch is on Friday."]
    schema = {"type": "object", "properties": {"day": {"type": "string"}}, "required": ["day"]}
    asked_schema = await text_of(
        "hi", response_format={"type": "json_schema", "json_schema": {"name": "plan", "schema": schema}}
    )
    assert orjson.loads(asked_schema) == {"day": "day"}


@pytest.mark.parametrize(
    ("text", "fields", "called"),
    [
        ("Please use get_weather.", {}, ["get_weather"]),
        ("get_weather, then the CLOCK", {}, ["get_weather", "clock"]),
        ("get_weather, then clock", {"parallel_tool_calls": False}, ["get_weather"]),
        ("get_weather2 clocks", {}, []),
        ("hello", {"tool_choice": "required"}, ["get_weather"]),
        ("hello", {"tool_choice": {"type": "function", "function": {"name": "clock"}}}, ["clock"]),
        ("Use get_weather", {"tool_choice": "none"}, []),
    ],
)
async def test_it_calls_the_tools_that_are_named(
    text: str, fields: dict[str, Any], called: list[str]
) -> None:
    choice = (await chat(text, tools=[WEATHER, CLOCK], **fields)).choices[0]
    calls = choice.message.tool_calls or []
    assert [call.function.name for call in calls if call.type == "function"] == called
    assert choice.finish_reason == ("tool_calls" if called else "stop")
    assert (choice.message.content is None) is bool(called)


async def test_arguments_have_the_required_properties_in_their_types() -> None:
    [call] = (await chat("get_weather", tools=[WEATHER])).choices[0].message.tool_calls or []
    assert isinstance(call, ChatCompletionMessageFunctionToolCall)
    assert orjson.loads(call.function.arguments) == {
        "city": "city",
        "unit": "celsius",
        "days": 1,
        "wind": 1.5,
        "alerts": True,
        "hours": [1],
        "place": {"name": "name"},
    }


async def test_a_schema_that_refers_to_itself_many_times_over_still_ends() -> None:
    names = [f"p{number}" for number in range(10)]
    reference = {"$ref": "#/$defs/Node"}
    node = {"type": "object", "properties": dict.fromkeys(names, reference), "required": names}
    tool = {"name": "tree", "parameters": {**node, "$defs": {"Node": node}}}
    [call] = (await chat("tree", tools=[{"type": "function", "function": tool}])).choices[
        0
    ].message.tool_calls or []
    assert isinstance(call, ChatCompletionMessageFunctionToolCall)
    assert len(call.function.arguments) < 20_000


async def test_streamed_tool_calls_are_assembled_by_the_official_client() -> None:
    fields: dict[str, Any] = {"tools": [WEATHER, CLOCK], "n": 2}
    received = await receive(chat_body("get_weather and clock", stream=True, **fields))
    openings = [
        call
        for event in received.events
        for call in event.choices[0].delta.tool_calls or ()
        if call.id is not None
    ]
    assert all(call.function and call.function.arguments == "" for call in openings)
    state: ChatCompletionStreamState[None] = ChatCompletionStreamState()
    for event in received.events:
        state.handle_chunk(event)
    streamed = state.get_final_completion()
    whole = await chat("get_weather and clock", **fields)

    def spoken(completion: ChatCompletion) -> list[list[tuple[str, str]]]:
        return [
            [
                (call.function.name, call.function.arguments)
                for call in choice.message.tool_calls or ()
                if call.type == "function"
            ]
            for choice in completion.choices
        ]

    assert spoken(streamed) == spoken(whole)
    assert len({call.id for choice in whole.choices for call in choice.message.tool_calls or ()}) == 4


async def test_the_result_of_a_tool_is_told_even_where_a_call_is_required() -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": "{}"}}
    said = await text_of(
        "get_weather",
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "sunny, 21°"},
        tools=[WEATHER],
        tool_choice="required",
    )
    assert said == f'{OPENING} The tool get_weather answered: "sunny, 21°"'


@pytest.mark.parametrize(
    ("input_", "tokens"),
    [("two words", [2]), (["one", "two words"], [1, 2]), ([5, 6, 7], [3]), ([[5], [6, 7]], [1, 2])],
)
async def test_embeddings_are_unit_vectors(input_: Any, tokens: list[int]) -> None:
    received = await receive(orjson.dumps({"model": "e", "input": input_}), "/embeddings")
    answer = CreateEmbeddingResponse.model_validate_json(received.body, strict=True)
    assert [item.index for item in answer.data] == list(range(len(tokens)))
    assert answer.usage.prompt_tokens == sum(tokens)
    for item in answer.data:
        assert len(item.embedding) == 1536
        assert math.hypot(*item.embedding) == pytest.approx(1, abs=1e-5)
    assert len({tuple(item.embedding) for item in answer.data}) == len(tokens)


async def test_both_encodings_of_an_embedding_are_the_same_numbers() -> None:
    request = {"model": "e", "input": "hello", "dimensions": 8}
    plain = orjson.loads((await receive(orjson.dumps(request), "/embeddings")).body)
    encoded = orjson.loads(
        (await receive(orjson.dumps({**request, "encoding_format": "base64"}), "/embeddings")).body
    )
    packed = base64.b64decode(encoded["data"][0]["embedding"])
    assert list(struct.unpack("<8f", packed)) == plain["data"][0]["embedding"]


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


@pytest.mark.parametrize("input_", ["", [], [[]], [""], ["a", 1], [1, "a"], [True], [-1], [["a"]], {}, None])
async def test_malformed_embedding_input_is_refused(input_: Any) -> None:
    received = await receive(orjson.dumps({"model": "e", "input": input_}), "/embeddings")
    assert received.status == 400
    assert (received.error.param or "").split("[")[0] == "input"


async def test_an_unknown_path_is_not_found() -> None:
    received = await receive(chat_body("hi"), "/images/generations")
    assert received.status == 404
    assert received.error.message == "Invalid URL (POST /images/generations)"


async def test_it_lists_itself() -> None:
    provider: Provider = MockProvider("demo")
    [model] = await provider.models()
    assert Model.model_validate(model).owned_by == "demo"
    await provider.close()


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
TEXTS = st.text(st.characters(codec="utf-8"), max_size=60) | st.sampled_from(
    ["Tea is green.", "Is tea green?"]
)
PARTS = st.one_of(
    st.fixed_dictionaries({"type": st.just("text"), "text": TEXTS}),
    st.fixed_dictionaries({"type": st.sampled_from(["image_url", "file", "x"])}),
)
MESSAGES = st.fixed_dictionaries(
    {
        "role": st.sampled_from(["system", "developer", "user", "assistant", "tool"]),
        "content": TEXTS | st.lists(PARTS, max_size=3) | st.none(),
        "tool_call_id": TEXTS,
    }
)
SCHEMAS = st.recursive(
    st.fixed_dictionaries(
        {},
        optional={
            "type": st.sampled_from(["string", "integer", "number", "boolean", "array", "null"])
            | JSON_VALUES,
            "enum": JSON_VALUES,
            "const": JSON_VALUES,
            "$ref": st.just("#/$defs/a"),
        },
    ),
    lambda inner: st.fixed_dictionaries(
        {"type": st.just("object"), "required": st.just(["a", "b"]) | JSON_VALUES},
        optional={
            "properties": st.dictionaries(st.sampled_from(["a", "b"]), inner),
            "items": inner,
            "anyOf": st.lists(inner, max_size=2),
            "$defs": st.dictionaries(st.just("a"), inner),
        },
    ),
    max_leaves=6,
)
TOOLS = st.fixed_dictionaries(
    {
        "type": st.just("function"),
        "function": st.fixed_dictionaries(
            {"name": st.sampled_from(["a", "get_weather"])}, optional={"parameters": SCHEMAS}
        ),
    }
)
REQUESTS = st.fixed_dictionaries(
    {"model": TEXTS.filter(bool), "messages": st.lists(MESSAGES, min_size=1, max_size=4)},
    optional={
        "stream": st.booleans(),
        "n": st.integers(1, 3),
        "max_tokens": st.integers(1, 30),
        "stop": TEXTS | st.lists(TEXTS, max_size=4),
        "response_format": st.fixed_dictionaries(
            {
                "type": st.sampled_from(["text", "json_object", "json_schema"]),
                "json_schema": st.fixed_dictionaries({"name": TEXTS, "schema": SCHEMAS}),
            }
        ),
        "tools": st.lists(TOOLS, min_size=1, max_size=2),
        "tool_choice": st.sampled_from(["none", "auto", "required"]),
        "input": TEXTS | st.lists(st.integers(0, 9)) | JSON_VALUES,
        "dimensions": st.integers(1, 16),
        "encoding_format": st.sampled_from(["float", "base64"]),
    },
)
FIELDS = [
    "model",
    "messages",
    "stream",
    "stream_options",
    "n",
    "stop",
    "response_format",
    "tools",
    "tool_choice",
]
SPOILED_REQUESTS = st.builds(
    lambda request, spoiled: {**request, **spoiled},
    REQUESTS,
    st.dictionaries(st.sampled_from(FIELDS), JSON_VALUES, max_size=2),
)


@settings(deadline=None)
@given(REQUESTS | SPOILED_REQUESTS | JSON_VALUES, st.sampled_from(["/chat/completions", "/embeddings"]))
async def test_any_json_is_answered_and_the_same_json_the_same_way(value: Any, path: str) -> None:
    body = orjson.dumps(value)
    first, second = await receive(body, path), await receive(body, path)
    assert (first.status, dict(first.headers), first.chunks) == (
        second.status,
        dict(second.headers),
        second.chunks,
    )
    if first.status == 400:
        assert first.error.type == "invalid_request_error"
    elif path == "/embeddings":
        orjson.loads(first.body)
    elif value.get("stream"):
        whole = (await receive(orjson.dumps({**value, "stream": False}), path)).completion
        assert streamed_texts(first.events) == [choice.message.content or "" for choice in whole.choices]
    else:
        assert len(first.completion.choices) == (value.get("n") or 1)


def streamed_texts(events: list[ChatCompletionChunk]) -> list[str]:
    texts: dict[int, str] = {}
    for choice in (choice for event in events for choice in event.choices):
        texts[choice.index] = texts.get(choice.index, "") + (choice.delta.content or "")
    return [texts[index] for index in sorted(texts)]
