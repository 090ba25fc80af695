"""The stub's side of one TCP connection: it parses requests and runs their behaviours."""

import asyncio
import socket
import struct
from collections.abc import Callable
from typing import cast

import httptools

from .behaviours import Behaviour
from .exchange import Exchange, Request
from .gate import Gate

LINGER_ZERO = struct.pack("ii", 1, 0)


class Connection(asyncio.Protocol):
    """An asyncio protocol that is also the ``Wire`` its exchanges write to.

    ``choose`` is told of each exchange as soon as its request is complete, and returns the behaviour to run.
    """

    def __init__(self, number: int, gate: Gate, choose: Callable[[Exchange], Behaviour]) -> None:
        self.closed = asyncio.Event()
        self.failure: BaseException | None = None
        self._number = number
        self._gate = gate
        self._choose = choose
        self._parser = httptools.HttpRequestParser(self)
        self._writable = asyncio.Event()
        self._writable.set()
        self._exchange: Exchange | None = None
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the exchange, and stop the behaviour."""
        if self._exchange is not None:
            self._exchange.connection_lost()
        if self._task is not None:
            self._task.cancel()
        self._writable.set()
        self.closed.set()

    def pause_writing(self) -> None:
        """The client reads too slowly: hold writes back."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """The client caught up."""
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        """Feed the HTTP parser; what is no HTTP loses its connection."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._transport.abort()

    def on_message_begin(self) -> None:
        """Start a new request."""
        self._path = b""
        self._headers: list[tuple[str, str]] = []
        self._body = b""

    def on_url(self, url: bytes) -> None:
        """Collect the path, query included."""
        self._path += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Collect a header."""
        self._headers.append((name.decode("latin-1").lower(), value.decode("latin-1")))

    def on_body(self, body: bytes) -> None:
        """Collect a part of the body."""
        self._body += body

    def on_message_complete(self) -> None:
        """Answer the request."""
        request = Request(
            method=self._parser.get_method().decode("ascii"),
            path=self._path.decode("latin-1"),
            headers=tuple(self._headers),
            body=self._body,
            connection=self._number,
        )
        self._exchange = Exchange(request, self._gate, self)
        behaviour = self._choose(self._exchange)
        self._task = asyncio.get_running_loop().create_task(self._answer(self._exchange, behaviour))

    async def _answer(self, exchange: Exchange, behaviour: Behaviour) -> None:
        try:
            await behaviour(exchange)
        except Exception as error:  # noqa: BLE001 - kept for the provider, which raises it in the test
            self.failure = error
            self.reset()
        else:
            exchange.finished.set()

    async def write(self, data: bytes) -> None:
        """Write in a turn of the loop of its own, so that parts reach the client apart.

        The pause comes before the write: after the last byte nothing may stand between the client's hanging
        up and the exchange's being finished.
        """
        await asyncio.sleep(0)
        await self._writable.wait()
        self._transport.write(data)

    def close(self) -> None:
        """Close after what was written has been sent."""
        self._transport.close()

    def reset(self) -> None:
        """Close at once with a TCP reset."""
        sock = self._transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_ZERO)
        self._transport.abort()

    async def shut_down(self) -> None:
        """Close at once, and return when the behaviour has ended."""
        self._transport.abort()
        await self.closed.wait()
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)
