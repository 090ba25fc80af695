"""The ways the stub can answer, each a coroutine that takes an exchange."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import TypeAlias

from . import payloads
from .exchange import Exchange

Behaviour: TypeAlias = Callable[[Exchange], Awaitable[None]]

HALF = payloads.CHUNKS // 2
# Cuts an event of the ordinary stream after `"content":" tok`.
MID_LINE = -48


async def ordinary(exchange: Exchange) -> None:
    """A good answer: a stream of 50 chunks when the request asks for one, else JSON."""
    if exchange.request.wants_stream:
        await _stream(exchange, payloads.stream_events(exchange.request.model))
    else:
        await exchange.respond(_completion(exchange))


async def fidelity(exchange: Exchange) -> None:
    """A stream with everything a gateway may lose on the way."""
    await _stream(exchange, payloads.fidelity_events(exchange.request.model))


async def slow(exchange: Exchange) -> None:
    """A stream that waits at the gate before each event, the first and ``[DONE]`` included."""
    await exchange.open_stream()
    for event in payloads.stream_events(exchange.request.model):
        await exchange.gate.wait()
        await exchange.event(event)
    await exchange.end_stream()


async def slow_headers(exchange: Exchange) -> None:
    """A good answer that waits at the gate before its first byte."""
    await exchange.gate.wait()
    await ordinary(exchange)


async def split_event(exchange: Exchange) -> None:
    """A stream whose third event comes in two writes, cut in mid-line, the gate between them."""
    await _split(exchange, payloads.stream_events(exchange.request.model), cut=MID_LINE)


async def split_character(exchange: Exchange) -> None:
    """The fidelity stream, its third event cut inside a UTF-8 sequence, the gate between the parts."""
    events = payloads.fidelity_events(exchange.request.model)
    await _split(exchange, events, cut=events[2].index("東".encode()) + 1)


async def break_at_event(exchange: Exchange) -> None:
    """Half a stream, then the connection closes between two events."""
    await _half_stream(exchange)
    exchange.break_off()


async def break_mid_line(exchange: Exchange) -> None:
    """Half a stream, then the connection closes inside a line."""
    await _half_stream(exchange)
    await exchange.part(payloads.stream_events(exchange.request.model)[HALF][:MID_LINE])
    exchange.break_off()


async def break_unframed(exchange: Exchange) -> None:
    """Half a stream ended by ``connection: close``: only the missing ``[DONE]`` shows that it was cut."""
    await exchange.head(200, {"content-type": "text/event-stream", "connection": "close"})
    for event in payloads.stream_events(exchange.request.model)[:HALF]:
        await exchange.raw(event)
        exchange.events_sent += 1
    exchange.break_off()


async def reset_mid_stream(exchange: Exchange) -> None:
    """Half a stream, then (past the gate) a TCP reset."""
    await _half_stream(exchange)
    await exchange.gate.wait()
    exchange.reset()


async def no_done(exchange: Exchange) -> None:
    """A stream that ends well at the HTTP level, without ``[DONE]``."""
    await _stream(exchange, payloads.stream_events(exchange.request.model)[:-1])


async def error_event(exchange: Exchange) -> None:
    """Half a stream, then an error object in an event, as providers send under load."""
    await _half_stream(exchange)
    await exchange.event(payloads.sse_event(payloads.error("The server is overloaded.", "server_error")))
    await exchange.end_stream()


async def endless(exchange: Exchange) -> None:
    """A stream that goes on as fast as it is read, until the client hangs up."""
    await exchange.open_stream()
    event = payloads.sse_event(payloads.chunk(exchange.request.model, {"content": "la " * 1000}))
    while True:
        await exchange.event(event)


async def empty_stream(exchange: Exchange) -> None:
    """Event stream headers, then a well-formed end with no event."""
    await _stream(exchange, [])


async def empty_stream_broken(exchange: Exchange) -> None:
    """Event stream headers, then the connection closes."""
    await exchange.open_stream()
    exchange.break_off()


async def empty_body(exchange: Exchange) -> None:
    """200 with zero bytes."""
    await exchange.respond(b"")


async def html(exchange: Exchange) -> None:
    """200 with a web page, as captive portals and load balancers send."""
    page = b"<!doctype html><html><body><h1>Welcome to nginx!</h1></body></html>"
    await exchange.respond(page, content_type="text/html; charset=utf-8")


async def invalid_json(exchange: Exchange) -> None:
    """200 that claims JSON and stops in the middle of it, its length correct."""
    body = _completion(exchange)
    await exchange.respond(body[: len(body) // 2])


async def rubbish_stream(exchange: Exchange) -> None:
    """An event stream of what is no event, no JSON and no UTF-8."""
    await _stream(exchange, [b"hello\n\n", b"data: {not json}\n\n", b"\xff\xfe\x00\n\n", b"data\n\n"])


async def close_before_headers(exchange: Exchange) -> None:
    """The connection closes without a byte, like a keep-alive connection that went stale."""
    exchange.break_off()


async def hang_before_headers(exchange: Exchange) -> None:
    """Nothing at all."""
    await exchange.hang()


async def hang_after_headers(exchange: Exchange) -> None:
    """Event stream headers, then nothing."""
    await exchange.open_stream()
    await exchange.hang()


async def hang_mid_stream(exchange: Exchange) -> None:
    """Half a stream, then nothing."""
    await _half_stream(exchange)
    await exchange.hang()


async def gzipped(exchange: Exchange) -> None:
    """A good JSON answer, compressed whether or not the client accepts that."""
    await exchange.respond_gzip(_completion(exchange))


async def truncated(exchange: Exchange) -> None:
    """JSON that is shorter than its content-length: the connection closes before the rest."""
    body = _completion(exchange)
    await exchange.head(200, {"content-type": "application/json", "content-length": str(len(body))})
    await exchange.raw(body[: len(body) // 2])
    exchange.break_off()


def status(code: int, retry_after: str = "7") -> Behaviour:
    """An error response with the body OpenAI gives for ``code``; ``retry_after`` goes with 429 and 503.

    400 carries the code ``context_length_exceeded``; 401 quotes the API key it was called with.
    """

    async def answer(exchange: Exchange) -> None:
        headers = {"retry-after": retry_after} if code in (429, 503) else {}
        key = exchange.request.key or ""
        body = {
            400: payloads.error(
                "This model's maximum context length is 128000 tokens.",
                "invalid_request_error",
                "context_length_exceeded",
                "messages",
            ),
            401: payloads.error(
                f"Incorrect API key provided: {key}.", "invalid_request_error", "invalid_api_key"
            ),
            403: payloads.error("Country not supported.", "request_forbidden", "unsupported_country"),
            404: payloads.error("The model does not exist.", "invalid_request_error", "model_not_found"),
            429: payloads.error("Rate limit reached.", "rate_limit_error", "rate_limit_exceeded"),
        }.get(code, payloads.error(HTTPStatus(code).phrase, "server_error"))
        await exchange.respond(payloads.encode(body), status=code, headers=headers)

    return answer


def for_key(key: str, behaviour: Behaviour, otherwise: Behaviour = ordinary) -> Behaviour:
    """``behaviour`` for requests with this key, ``otherwise`` for all others."""

    async def answer(exchange: Exchange) -> None:
        await (behaviour if exchange.request.key == key else otherwise)(exchange)

    return answer


def fail_first(times: int, failure: Behaviour, then: Behaviour = ordinary) -> Behaviour:
    """``failure`` for the first ``times`` requests, ``then`` from there on."""
    left = times

    async def answer(exchange: Exchange) -> None:
        nonlocal left
        left -= 1
        await (failure if left >= 0 else then)(exchange)

    return answer


def _completion(exchange: Exchange) -> bytes:
    return payloads.encode(payloads.completion(exchange.request.model))


async def _stream(exchange: Exchange, events: list[bytes]) -> None:
    await exchange.open_stream()
    for event in events:
        await exchange.event(event)
    await exchange.end_stream()


async def _half_stream(exchange: Exchange) -> None:
    await exchange.open_stream()
    for event in payloads.stream_events(exchange.request.model)[:HALF]:
        await exchange.event(event)


async def _split(exchange: Exchange, events: list[bytes], cut: int) -> None:
    await exchange.open_stream()
    for position, event in enumerate(events):
        if position == 2:
            await exchange.part(event[:cut])
            await exchange.gate.wait()
            await exchange.part(event[cut:])
            exchange.events_sent += 1
        else:
            await exchange.event(event)
    await exchange.end_stream()
