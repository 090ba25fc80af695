"""One request the stub received, and the answer it is giving."""

import asyncio
import gzip
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Protocol

from .gate import Gate


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it arrived; header names are lower case, ``connection`` counts from 1."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    connection: int

    def header(self, name: str) -> str | None:
        """The first value of a header, or None."""
        return next((value for key, value in self.headers if key == name.lower()), None)

    @property
    def key(self) -> str | None:
        """The key it came with, as a bearer token or in a header of its own."""
        authorization = self.header("authorization")
        return (
            authorization.removeprefix("Bearer ") if authorization is not None else self.header("x-api-key")
        )

    def json(self) -> Any:
        """The body as JSON; raises ``json.JSONDecodeError`` when it is none."""
        return json.loads(self.body)

    @property
    def model(self) -> str:
        """The ``model`` of the body, or an empty string."""
        fields = self._fields()
        return str(fields.get("model", ""))

    @property
    def wants_stream(self) -> bool:
        """Whether the body asks for a stream."""
        return self._fields().get("stream") is True

    def _fields(self) -> dict[str, Any]:
        try:
            value = self.json()
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}


class Wire(Protocol):
    """The connection an answer is written to."""

    async def write(self, data: bytes) -> None:
        """Write, and wait while the client reads too slowly."""

    def close(self) -> None:
        """Close after what was written has been sent."""

    def reset(self) -> None:
        """Close at once with a TCP reset."""


@dataclass(slots=True)
class Exchange:
    """A request with its answer: what a behaviour writes to, and what a test looks at.

    Exactly one of ``finished`` (the stub said all it meant to say, or broke off on purpose) and ``aborted``
    (the client hung up first) is set in the end.
    """

    request: Request
    gate: Gate
    wire: Wire
    finished: asyncio.Event = field(default_factory=asyncio.Event)
    aborted: asyncio.Event = field(default_factory=asyncio.Event)
    aborted_at: float | None = None  # time.monotonic()
    events_sent: int = 0

    async def raw(self, data: bytes) -> None:
        """Write bytes as they are."""
        await self.wire.write(data)

    async def head(self, status: int, headers: Mapping[str, str]) -> None:
        """Write a status line and headers."""
        phrase = HTTPStatus(status).phrase if status in set(HTTPStatus) else "Overloaded"
        lines = [f"HTTP/1.1 {status} {phrase}"]
        lines += [f"{name}: {value}" for name, value in {"x-request-id": "req_stub", **headers}.items()]
        await self.raw("\r\n".join([*lines, "", ""]).encode("latin-1"))

    async def respond(
        self,
        body: bytes,
        *,
        status: int = 200,
        content_type: str = "application/json",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Write a whole response with its length."""
        fields = {"content-type": content_type, "content-length": str(len(body)), **(headers or {})}
        await self.head(status, fields)
        await self.raw(body)

    async def respond_gzip(self, body: bytes) -> None:
        """Write a whole response, compressed."""
        await self.respond(gzip.compress(body, mtime=0), headers={"content-encoding": "gzip"})

    async def open_stream(self, content_type: str = "text/event-stream; charset=utf-8") -> None:
        """Write the head of a chunked stream."""
        fields = {"content-type": content_type, "cache-control": "no-cache", "transfer-encoding": "chunked"}
        await self.head(200, fields)

    async def part(self, data: bytes) -> None:
        """Write one HTTP chunk, which need not be a whole event."""
        await self.raw(b"%x\r\n%b\r\n" % (len(data), data))

    async def event(self, data: bytes) -> None:
        """Write one whole event as one HTTP chunk, and count it."""
        await self.part(data)
        self.events_sent += 1

    async def end_stream(self) -> None:
        """Write the last, empty HTTP chunk."""
        await self.raw(b"0\r\n\r\n")

    async def hang(self) -> None:
        """Say nothing more until the client hangs up, which cancels the behaviour."""
        await asyncio.Event().wait()

    def break_off(self) -> None:
        """Close the connection in the middle of the answer."""
        self.finished.set()
        self.wire.close()

    def reset(self) -> None:
        """Reset the connection in the middle of the answer; what the client has not read yet may be lost."""
        self.finished.set()
        self.wire.reset()

    def connection_lost(self) -> None:
        """Note that the client hung up, unless the answer was over."""
        if not self.finished.is_set():
            self.aborted_at = time.monotonic()
            self.aborted.set()
