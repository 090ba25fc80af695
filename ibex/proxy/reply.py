"""Writes one answer, with the headers that every answer carries."""

from collections.abc import Mapping
from typing import Any

import orjson

from ibex.errors import Dialect, IbexError, envelope
from ibex.http import Send
from ibex.proxy.request import Request
from ibex.telemetry import StepClock

_JSON = b"application/json"
_SSE_END = b"\n"
# Clients of the one dialect know an error by its body, those of the other by the name of its event.
_ERROR_EVENT: Mapping[Dialect, bytes] = {"openai": b"data: ", "anthropic": b"event: error\ndata: "}


class Reply:
    """The answer to one request. Headers are gathered until it starts."""

    def __init__(
        self,
        send: Send,
        clock: StepClock,
        request: Request,
        *,
        docs_base_url: str,
        dialect: Dialect = "openai",
    ) -> None:
        self._send = send
        self._clock = clock
        self.request_id = str(request.id)
        self._docs_base_url = docs_base_url
        self._dialect = dialect
        self._headers: list[tuple[bytes, bytes]] = [
            (b"x-request-id", self.request_id.encode()),
            (b"x-trace-id", request.trace.trace_id.encode()),
        ]
        if dialect == "anthropic":
            # Where the official client looks for it.
            self._headers.append((b"request-id", self.request_id.encode()))
        self.status = 0
        self.content_type = ""
        self.size = 0
        self.overhead = 0.0
        self.first_byte: float | None = None

    @property
    def has_started(self) -> bool:
        return self.status != 0

    def add_headers(self, headers: Mapping[str, str]) -> None:
        self._headers += [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]

    async def start(self, status: int, content_type: bytes, length: int | None = None) -> None:
        """Send the head. Overhead is what has passed so far without waiting for the client or a provider."""
        self.status = status
        self.content_type = content_type.decode("latin-1")
        self.first_byte = self._clock.elapsed()
        self.overhead = self._clock.overhead()
        headers = [
            (b"content-type", content_type),
            *self._headers,
            (b"x-response-time", b"%.2fms" % (self.first_byte * 1e3)),
            (b"x-ibex-overhead-ms", b"%.2f" % (self.overhead * 1e3)),
        ]
        if length is not None:
            headers.append((b"content-length", b"%d" % length))
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def write(self, chunk: bytes) -> None:
        """Send a part of the body; waits while the client reads slower than the provider writes."""
        self.size += len(chunk)
        await self._send({"type": "http.response.body", "body": chunk, "more_body": True})

    async def finish(self, chunk: bytes = b"") -> None:
        self.size += len(chunk)
        await self._send({"type": "http.response.body", "body": chunk, "more_body": False})

    async def json(self, status: int, body: bytes) -> None:
        await self.start(status, _JSON, len(body))
        await self.finish(body)

    async def error(self, error: IbexError) -> None:
        """Send an error: as a response, or, when a stream has begun, as its last event."""
        body = orjson.dumps(self._envelope(error))
        if self.has_started:
            await self.finish(_SSE_END + _ERROR_EVENT[self._dialect] + body + b"\n\n")
            return
        self.add_headers(error.headers)
        if error.status == 401:
            self.add_headers({"WWW-Authenticate": "Bearer"})
        await self.json(error.status, body)

    def _envelope(self, error: IbexError) -> dict[str, Any]:
        return envelope(error, self._dialect, request_id=self.request_id, docs_base_url=self._docs_base_url)
