"""A fast OpenAI-compatible upstream, so that a benchmark measures the gateway and not the provider.

    python benchmarks/stub_provider.py --port 9100

It answers ``POST …/chat/completions`` with about 1 KB of JSON, or, when the body asks for a stream, with 50
events and ``[DONE]``: each written alone on the next turn of the loop, or 10 ms apart when the model's name
contains ``paced``. ``GET /_last`` shows the last request as the gateway sent it, ``GET /_stats`` the
counters.
"""

import argparse
import asyncio
import json
from dataclasses import asdict, dataclass, field
from typing import Any, cast

import uvloop

EVENTS = 50
PACE = 0.01  # Seconds between events; a fast hosted model emits about 100 tokens a second.
MODEL = "gpt-4o-mini"
SENTENCE = "The quick brown fox jumps over the lazy dog while the gateway forwards bytes. "


def completion() -> dict[str, Any]:
    """A chat completion of about 1 KB."""
    return {
        "id": "chatcmpl-stub0123456789",
        "object": "chat.completion",
        "created": 1700000000,
        "model": MODEL,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": SENTENCE * 7, "refusal": None, "annotations": []},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": usage(),
        "service_tier": "default",
        "system_fingerprint": "fp_stub",
    }


def usage() -> dict[str, Any]:
    """The token counts of every answer."""
    return {
        "prompt_tokens": 57,
        "completion_tokens": 113,
        "total_tokens": 170,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    }


def stream() -> list[dict[str, Any]]:
    """The 50 chunks of a streamed completion: the role, 47 tokens, the finish reason, the usage."""

    def chunk(delta: dict[str, str], finish_reason: str | None = None) -> dict[str, Any]:
        return {
            "id": "chatcmpl-stub0123456789",
            "object": "chat.completion.chunk",
            "created": 1700000000,
            "model": MODEL,
            "system_fingerprint": "fp_stub",
            "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}],
        }

    tokens = [chunk({"content": f" token{i:02d}"}) for i in range(EVENTS - 3)]
    counts = chunk({}) | {"choices": [], "usage": usage()}
    return [chunk({"role": "assistant", "content": ""}), *tokens, chunk({}, "stop"), counts]


def response(body: object, status: str = "200 OK") -> bytes:
    """A whole HTTP response around a JSON body."""
    content = json.dumps(body).encode()
    head = f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {len(content)}\r\n\r\n"
    return head.encode() + content


def http_chunk(data: bytes) -> bytes:
    """One chunk of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


COMPLETION = response(completion())
MODELS = response({"object": "list", "data": [{"id": MODEL, "object": "model", "owned_by": "stub"}]})
NOT_FOUND = response({"error": {"message": "No such path", "type": "invalid_request_error"}}, "404 Not Found")
STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n"
    b"cache-control: no-cache\r\ntransfer-encoding: chunked\r\n\r\n"
)
STREAM = [http_chunk(b"data: " + json.dumps(chunk).encode() + b"\n\n") for chunk in stream()]
STREAM_END = http_chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n"


@dataclass(slots=True)
class Stats:
    """What the stub has done since it started."""

    requests: int = 0
    started: int = 0
    finished: int = 0
    aborted: int = 0


@dataclass(slots=True)
class Recorder:
    """The counters, and the last request that was not about them."""

    stats: Stats = field(default_factory=Stats)
    head: bytes = b"GET / HTTP/1.1"
    body: bytes = b""

    def last(self) -> dict[str, Any]:
        """The last request: path, headers, body."""
        request, *lines = self.head.decode("latin-1").split("\r\n")
        pairs = (line.partition(":") for line in lines)
        return {
            "path": request.split(" ")[1],
            "headers": {name.lower(): value.strip() for name, _, value in pairs},
            "body": self.body.decode("utf-8", "replace"),
        }


class StubProtocol(asyncio.Protocol):
    """One connection. It looks for what it needs in the bytes instead of parsing them."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._buffer = b""
        self._streaming = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)
        self._loop = asyncio.get_running_loop()

    def connection_lost(self, exc: Exception | None) -> None:
        """Count a stream that was not read to its end."""
        if self._streaming:
            self._recorder.stats.aborted += 1

    def data_received(self, data: bytes) -> None:
        """Answer every request that is complete."""
        buffer = self._buffer + data
        while (end_of_head := buffer.find(b"\r\n\r\n")) >= 0:
            head = buffer[:end_of_head]
            start = end_of_head + 4
            end = start + content_length(head)
            if len(buffer) < end:
                break
            self._answer(head, buffer[start:end])
            buffer = buffer[end:]
        self._buffer = buffer

    def _answer(self, head: bytes, body: bytes) -> None:
        path = head.split(b" ", 2)[1]
        if path == b"/_last":
            self._transport.write(response(self._recorder.last()))
            return
        if path == b"/_stats":
            self._transport.write(response(asdict(self._recorder.stats)))
            return
        self._recorder.stats.requests += 1
        self._recorder.head, self._recorder.body = head, body
        if path.endswith(b"/models"):
            self._transport.write(MODELS)
        elif not path.endswith(b"/chat/completions"):
            self._transport.write(NOT_FOUND)
        elif b'"stream":true' in body or b'"stream": true' in body:
            self._begin_stream(paced=b"paced" in body)
        else:
            self._transport.write(COMPLETION)

    def _begin_stream(self, paced: bool) -> None:
        self._recorder.stats.started += 1
        self._streaming = True
        self._transport.write(STREAM_HEAD)
        if paced:
            self._loop.call_later(PACE, self._paced, 0, self._loop.time() + PACE)
        else:
            self._burst(0)

    def _burst(self, position: int) -> None:
        if self._transport.is_closing():
            return
        if position == EVENTS:
            self._end_stream()
            return
        self._transport.write(STREAM[position])
        self._loop.call_soon(self._burst, position + 1)

    def _paced(self, position: int, began: float) -> None:
        if self._transport.is_closing():
            return
        self._transport.write(STREAM[position])
        following = position + 1
        if following == EVENTS:
            self._end_stream()
        else:
            self._loop.call_at(began + following * PACE, self._paced, following, began)

    def _end_stream(self) -> None:
        self._streaming = False
        self._recorder.stats.finished += 1
        self._transport.write(STREAM_END)


def content_length(head: bytes) -> int:
    """The length a request's head declares, 0 when it declares none; raises ValueError for a chunked body."""
    lower = head.lower()
    if b"\r\ntransfer-encoding:" in lower:
        raise ValueError("the stub does not read chunked requests")
    at = lower.find(b"\r\ncontent-length:")
    if at < 0:
        return 0
    end = lower.find(b"\r\n", at + 2)
    return int(lower[at + 17 : end if end > 0 else None])


async def serve(port: int, host: str = "127.0.0.1") -> None:
    """Serve until cancelled."""
    recorder = Recorder()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: StubProtocol(recorder), host, port, backlog=1024)
    async with server:
        await server.serve_forever()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="A fast OpenAI-compatible upstream for benchmarks.")
    parser.add_argument("--port", type=int, default=9100)
    parser.add_argument("--host", default="127.0.0.1")
    options = parser.parse_args()
    uvloop.run(serve(options.port, options.host))


if __name__ == "__main__":
    main()
