"""Where webhooks lead to: an HTTP server on a loopback port, which remembers what it was sent."""

import asyncio
import ssl
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import orjson


@dataclass(frozen=True, slots=True)
class Received:
    """One request."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    def json(self) -> Any:
        return orjson.loads(self.body)


@dataclass(slots=True)
class Endpoint:
    """Answers with `status`, or with the next of `script`. 0 is no answer at all: the connection stays open.

    Parameters
    ----------
    headers: of each answer.
    withheld: bytes that each answer's body is said to have, and that never come.
    tls: with which it is an endpoint for `https://`.
    """

    tls: ssl.SSLContext | None = None
    status: int = 204
    script: deque[int] = field(default_factory=deque)
    headers: dict[str, str] = field(default_factory=dict)
    withheld: int = 0
    received: list[Received] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0
    port: int = 0
    _server: asyncio.Server | None = None
    _open: set[asyncio.Task[Any]] = field(default_factory=set)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self.tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}/hook?from=ibex"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                await self._answer(reader, writer)
        finally:
            self.at_once -= 1
            self._open.discard(task)
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        body = await reader.readexactly(int(headers["content-length"]))
        self.received.append(Received(first.split()[1], headers, body))
        status = self.script.popleft() if self.script else self.status
        if status == 0:
            await reader.read()
            return
        told = "".join(f"{name}: {value}\r\n" for name, value in self.headers.items())
        writer.write(f"HTTP/1.1 {status} .\r\n{told}Content-Length: {self.withheld}\r\n\r\n".encode())
        await writer.drain()
        if self.withheld:
            await reader.read()
