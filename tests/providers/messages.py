"""The stub in Anthropic's dialect: what it says, and the ways it can say it."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from . import payloads
from .behaviours import Behaviour
from .exchange import Exchange

WORDS: Final = 20
ANSWER: Final = "".join(f" token{number:02d}" for number in range(WORDS))
USAGE: Final[dict[str, Any]] = {
    "input_tokens": 21,
    "cache_creation_input_tokens": 300,
    "cache_read_input_tokens": 4_000,
    "output_tokens": 55,
    "service_tier": "standard",
}
# What is to be recorded: everything that was read, the part of it that a cache had, the answer.
READ: Final = 4_321
CACHED: Final = 4_000
WRITTEN: Final = 55
HALF: Final = 10

_TYPES: Mapping[int, str] = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    504: "timeout_error",
    529: "overloaded_error",
}


def message(model: str) -> dict[str, Any]:
    """A whole answer."""
    return {
        "id": "msg_stub",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [{"type": "text", "text": ANSWER}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": USAGE,
    }


def tool_message(model: str) -> dict[str, Any]:
    """An answer that thinks, says something and calls a tool, with fields that nobody knows."""
    return {
        **message(model),
        "content": [
            {"type": "thinking", "thinking": "Hm. 東京?", "signature": "c2ln"},
            {"type": "text", "text": "Let me look."},
            {
                "type": "tool_use",
                "id": "toolu_stub",
                "name": "get_weather",
                "input": {"city": "東京", "big": 12345678901234567890, "exact": 1.0},
                "x_vendor": [None],
            },
        ],
        "stop_reason": "tool_use",
    }


def event(kind: str, **fields: object) -> bytes:
    """One event, blank line included."""
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), payloads.encode({"type": kind, **fields}))


def stream_events(model: str) -> list[bytes]:
    """The ordinary stream: start, ping, one block of text in 20 deltas, the reason, the end."""
    return [
        _start(model),
        event("content_block_start", index=0, content_block={"type": "text", "text": ""}),
        event("ping"),
        *(_delta(0, type="text_delta", text=f" token{number:02d}") for number in range(WORDS)),
        event("content_block_stop", index=0),
        event("message_delta", delta=_end("end_turn"), usage={"output_tokens": WRITTEN}),
        event("message_stop"),
    ]


def tool_events(model: str) -> list[bytes]:
    """Thinking, text and a call of a tool, with what a gateway may lose on the way."""
    tool = {"type": "tool_use", "id": "toolu_stub", "name": "get_weather", "input": {}}
    return [
        b": hello\n\n",
        _start(model),
        event("content_block_start", index=0, content_block={"type": "thinking", "thinking": ""}),
        _delta(0, type="thinking_delta", thinking="Hm. 東京?"),
        _delta(0, type="signature_delta", signature="c2ln"),
        event("content_block_stop", index=0),
        event("content_block_start", index=1, content_block={"type": "text", "text": ""}),
        _delta(1, type="text_delta", text='Let me "look" \u2028🦌.'),
        event("content_block_stop", index=1),
        event("content_block_start", index=2, content_block=tool),
        _delta(2, type="input_json_delta", partial_json='{"ci'),
        _delta(2, type="input_json_delta", partial_json='ty": "東京"}'),
        event("content_block_stop", index=2),
        event("x_vendor", big=12345678901234567890),
        event("message_delta", delta=_end("tool_use"), usage={"output_tokens": WRITTEN}),
        event("message_stop"),
    ]


def error(code: int, says: str) -> dict[str, Any]:
    """An error body."""
    return {"type": "error", "error": {"type": _TYPES[code], "message": says}, "request_id": "req_stub"}


async def ordinary(exchange: Exchange) -> None:
    """A good answer, streamed when the request asks for it."""
    model = exchange.request.model
    if exchange.request.wants_stream:
        await _stream(exchange, stream_events(model))
    else:
        await exchange.respond(payloads.encode(message(model)))


async def tool_use(exchange: Exchange) -> None:
    """A call of a tool, streamed when the request asks for it."""
    model = exchange.request.model
    if exchange.request.wants_stream:
        await _stream(exchange, tool_events(model))
    else:
        await exchange.respond(payloads.encode(tool_message(model)))


async def slow(exchange: Exchange) -> None:
    """A stream that waits at the gate before each event."""
    await exchange.open_stream()
    for each in stream_events(exchange.request.model):
        await exchange.gate.wait()
        await exchange.event(each)
    await exchange.end_stream()


async def lingering(exchange: Exchange) -> None:
    """A whole stream, and then not the end of the HTTP message."""
    await exchange.open_stream()
    for each in stream_events(exchange.request.model):
        await exchange.event(each)
    await exchange.hang()


async def hang_mid_stream(exchange: Exchange) -> None:
    """Half a stream, then nothing."""
    await _half_stream(exchange)
    await exchange.hang()


async def break_at_event(exchange: Exchange) -> None:
    """Half a stream, then the connection closes between two events."""
    await _half_stream(exchange)
    exchange.break_off()


async def no_stop(exchange: Exchange) -> None:
    """A stream that ends well at the HTTP level, with its reason, without `message_stop`."""
    await _stream(exchange, stream_events(exchange.request.model)[:-1])


async def error_event(exchange: Exchange) -> None:
    """Half a stream, then an error, as the provider sends under load."""
    await _half_stream(exchange)
    await exchange.event(event("error", error=error(529, "Overloaded")["error"]))
    await exchange.end_stream()


def saying(*parts: bytes) -> Behaviour:
    """A stream of these parts, each as an HTTP chunk."""

    async def say(exchange: Exchange) -> None:
        await exchange.open_stream()
        for part in parts:
            await exchange.part(part)
        await exchange.end_stream()

    return say


def status(code: int, says: str = "No.", **headers: str) -> Behaviour:
    """An error response in the dialect."""

    async def answer(exchange: Exchange) -> None:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        await exchange.respond(payloads.encode(error(code, says)), status=code, headers=sent)

    return answer


def _start(model: str) -> bytes:
    nothing_yet: dict[str, Any] = {"content": [], "stop_reason": None, "usage": {**USAGE, "output_tokens": 1}}
    return event("message_start", message={**message(model), **nothing_yet})


def _delta(index: int, **delta: str) -> bytes:
    return event("content_block_delta", index=index, delta=delta)


def _end(reason: str) -> dict[str, str | None]:
    return {"stop_reason": reason, "stop_sequence": None}


async def _stream(exchange: Exchange, events: Iterable[bytes]) -> None:
    await exchange.open_stream()
    for each in events:
        await exchange.event(each)
    await exchange.end_stream()


async def _half_stream(exchange: Exchange) -> None:
    await exchange.open_stream()
    for each in stream_events(exchange.request.model)[:HALF]:
        await exchange.event(each)
