"""The built-in provider answers any JSON, and the same JSON the same way."""

from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types.chat import ChatCompletionChunk

from tests.proxy.providers.asking_the_mock import receive

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
