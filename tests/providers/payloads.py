"""What the stub says: OpenAI-shaped bodies and server-sent events, as bytes."""

import json
from typing import Any, Final

CHUNKS: Final = 50
ANSWER: Final = "The quick brown fox jumps over the lazy dog."
USAGE: Final[dict[str, Any]] = {
    "prompt_tokens": 57,
    "completion_tokens": 113,
    "total_tokens": 170,
    "prompt_tokens_details": {"cached_tokens": 0},
}
DONE_EVENT: Final = b"data: [DONE]\n\n"


def encode(value: object) -> bytes:
    """Compact UTF-8 JSON that keeps non-ASCII characters as they are."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def sse_event(value: object) -> bytes:
    """One ``data:`` event, blank line included."""
    return b"data: " + encode(value) + b"\n\n"


def completion(model: str) -> dict[str, Any]:
    """A whole chat completion."""
    return {
        "id": "chatcmpl-stub",
        "object": "chat.completion",
        "created": 1700000000,
        "model": model,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": ANSWER, "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": USAGE,
        "system_fingerprint": "fp_stub",
    }


def chunk(
    model: str, delta: dict[str, Any], *, finish_reason: str | None = None, **extra: object
) -> dict[str, Any]:
    """One chunk of a streamed chat completion; ``extra`` adds or replaces top-level fields."""
    return {
        "id": "chatcmpl-stub",
        "object": "chat.completion.chunk",
        "created": 1700000000,
        "model": model,
        "system_fingerprint": "fp_stub",
        "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}],
        **extra,
    }


def stream_events(model: str) -> list[bytes]:
    """The ordinary stream: 50 chunks (role, 47 tokens, stop, usage), then ``[DONE]``."""
    chunks = [
        chunk(model, {"role": "assistant", "content": ""}),
        *(chunk(model, {"content": f" token{i:02d}"}) for i in range(CHUNKS - 3)),
        chunk(model, {}, finish_reason="stop"),
        chunk(model, {}, choices=[], usage=USAGE),
    ]
    return [*map(sse_event, chunks), DONE_EVENT]


def fidelity_events(model: str) -> list[bytes]:
    """What a gateway may lose: a comment, two interleaved tool calls, vendor fields, unicode."""

    def call(index: int, arguments: str, name: str | None = None) -> dict[str, Any]:
        function = {"arguments": arguments} if name is None else {"name": name, "arguments": arguments}
        opening = {} if name is None else {"id": f"call_{name}", "type": "function"}
        return {"tool_calls": [{"index": index, **opening, "function": function}]}

    chunks = [
        chunk(
            model,
            {"role": "assistant", "content": None, "reasoning_content": "thinking…"},
            x_vendor={"a": 1, "big": 12345678901234567890, "float": 1.0},
        ),
        chunk(model, {"content": 'Zürich 東京 🦌 \u2028 "quoted" </script>'}),
        chunk(model, call(0, "", "get_weather")),
        chunk(model, call(0, '{"ci')),
        chunk(model, call(0, 'ty":"Par')),
        chunk(model, call(1, "", "get_time")),
        chunk(model, call(0, 'is"}')),
        chunk(model, call(1, "{}")),
        chunk(model, {}, finish_reason="tool_calls"),
        chunk(model, {}, choices=[], usage=USAGE),
    ]
    return [b": keep-alive\n\n", *map(sse_event, chunks), DONE_EVENT]


def embeddings(model: str, count: int) -> dict[str, Any]:
    """``count`` small vectors, each different from the next."""
    return {
        "object": "list",
        "model": model,
        "data": [
            {"object": "embedding", "index": i, "embedding": [0.5, -0.25, i / 8.0, 1.0]} for i in range(count)
        ],
        "usage": {"prompt_tokens": 5 * count, "total_tokens": 5 * count},
    }


def models(names: list[str]) -> dict[str, Any]:
    """The answer of ``GET /models``."""
    return {
        "object": "list",
        "data": [{"id": name, "object": "model", "created": 1, "owned_by": "stub"} for name in names],
    }


def error(message: str, type_: str, code: str | None = None, param: str | None = None) -> dict[str, Any]:
    """An OpenAI error body."""
    return {"error": {"message": message, "type": type_, "param": param, "code": code}}
