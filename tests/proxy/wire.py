"""HTTP written by hand, for requests that no client would send."""

import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from tests.proxy.asking import CHAT
from tests.service import Service

_PATIENCE = 15.0
_LINGER_ZERO = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True)
class Answer:
    """One response: its status, its headers by lower-case name, its body without any framing."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def error(self) -> dict[str, Any]:
        """The error object of a JSON body."""
        assert self.headers["content-type"] == "application/json"
        error: dict[str, Any] = json.loads(self.body)["error"]
        assert error["request_id"] == self.headers["x-request-id"]
        return error


class Wire:
    """One connection; every wait on it ends after a while."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def send(self, *parts: bytes) -> None:
        for part in parts:
            self._writer.write(part)
            async with asyncio.timeout(_PATIENCE):
                await self._writer.drain()

    async def head(self) -> tuple[int, dict[str, str]]:
        """Read a status line and headers."""
        async with asyncio.timeout(_PATIENCE):
            status_line, *lines = (await self._reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[:-2]
        headers = dict(line.split(": ", 1) for line in lines)
        return int(status_line.split(" ")[1]), headers

    async def answer(self, *, has_body: bool = True) -> Answer:
        """Read one whole response."""
        status, headers = await self.head()
        body = b""
        async with asyncio.timeout(_PATIENCE):
            if not has_body:
                pass
            elif headers.get("transfer-encoding") == "chunked":
                while part := await self.chunk():
                    body += part
            else:
                body = await self._reader.readexactly(int(headers["content-length"]))
        return Answer(status, headers, body)

    async def chunk(self) -> bytes:
        """Read one HTTP chunk; empty is the last."""
        async with asyncio.timeout(_PATIENCE):
            size = int(await self._reader.readline(), 16)
            return (await self._reader.readexactly(size + 2))[:-2]

    async def is_closed(self) -> bool:
        """Whether the service closes the connection, having said nothing more."""
        try:
            async with asyncio.timeout(_PATIENCE):
                return await self._reader.read() == b""
        except ConnectionResetError:
            return True

    def end_of_file(self) -> None:
        """Say that nothing more will be sent."""
        self._writer.write_eof()

    def reset(self) -> None:
        """Be gone at once."""
        self._writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
        self._writer.transport.abort()

    def close(self) -> None:
        self._writer.close()


@asynccontextmanager
async def connect(service: Service) -> AsyncIterator[Wire]:
    # A small window, so that a client that does not read is soon felt by whoever writes to it.
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    client.setblocking(False)
    await asyncio.get_running_loop().sock_connect(client, ("127.0.0.1", service.port))
    reader, writer = await asyncio.open_connection(sock=client, limit=1 << 20)
    try:
        yield Wire(reader, writer)
    finally:
        writer.transport.abort()


def head(
    service: Service,
    *more: str,
    method: str = "POST",
    path: str = CHAT,
    version: str = "1.1",
    content_type: str = "application/json",
) -> bytes:
    """A request line and headers, with the token."""
    lines: Iterable[str] = (
        f"{method} {path} HTTP/{version}",
        "Host: ibex",
        f"Authorization: Bearer {service.token}",
        f"Content-Type: {content_type}",
        *more,
    )
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def post(service: Service, body: bytes, *more: str, version: str = "1.1") -> bytes:
    """A whole request."""
    return head(service, f"Content-Length: {len(body)}", *more, version=version) + body
