"""The connections to one origin: kept while they are used, bounded, and given out one at a time."""

import asyncio
import ssl
import time
from collections import deque

from ibex.proxy.providers.base import UnreachableError
from ibex.proxy.providers.http1.connection import Connection

# Providers close idle connections after a minute or so; to use one that is just being closed fails a call.
_KEEP_IDLE = 30.0


class Pool:
    """Connections to `host`:`port`.

    Parameters
    ----------
    connect_timeout: seconds for a connection to be made, TLS included.
    connections: most of them; who finds none free waits for one.
    """

    def __init__(
        self,
        host: str,
        port: int,
        tls: ssl.SSLContext | None,
        *,
        connect_timeout: float,
        connections: int,
    ) -> None:
        self._host = host
        self._port = port
        self._tls = tls
        self._connect_timeout = connect_timeout
        self._limit = connections
        self._open: set[Connection] = set()
        # Those being made count as well.
        self._count = 0
        self._idle: deque[Connection] = deque()
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._is_closed = False

    async def take(self) -> Connection:
        """A connection of one's own. Raises `UnreachableError`."""
        while True:
            connection = self._take_idle()
            if connection is not None:
                return connection
            if self._count < self._limit:
                return await self._connect()
            await self._wait()

    def close(self) -> None:
        self._is_closed = True
        for connection in list(self._open):
            connection.abort()
            self._forget(connection)

    def _take_idle(self) -> Connection | None:
        """The one used last, so that those which are not needed grow old and go."""
        oldest = time.monotonic() - _KEEP_IDLE
        while self._idle and (self._idle[0].idle_since < oldest or not self._idle[0].is_reusable):
            self._drop(self._idle.popleft())
        while self._idle:
            connection = self._idle.pop()
            if connection.is_reusable:
                return connection
            self._drop(connection)
        return None

    async def _connect(self) -> Connection:
        self._count += 1
        try:
            async with asyncio.timeout(self._connect_timeout):
                _, connection = await asyncio.get_running_loop().create_connection(
                    lambda: Connection(self._release),
                    self._host,
                    self._port,
                    ssl=self._tls,
                    server_hostname=self._host if self._tls else None,
                )
        except (OSError, TimeoutError) as error:
            self._give_up_one()
            raise UnreachableError(type(error).__name__) from error
        except BaseException:
            self._give_up_one()
            raise
        self._open.add(connection)
        return connection

    async def _wait(self) -> None:
        waiting = asyncio.get_running_loop().create_future()
        self._waiting.append(waiting)
        try:
            await waiting
        except asyncio.CancelledError:
            if waiting.done() and not waiting.cancelled():
                self._wake_one()
            raise
        finally:
            if not waiting.done() or waiting.cancelled():
                self._waiting = deque(other for other in self._waiting if other is not waiting)

    def _release(self, connection: Connection) -> None:
        if connection not in self._open:
            return
        if connection.is_reusable and not self._is_closed:
            connection.idle_since = time.monotonic()
            self._idle.append(connection)
            self._wake_one()
        else:
            self._forget(connection)

    def _drop(self, connection: Connection) -> None:
        connection.abort()
        self._forget(connection)

    def _forget(self, connection: Connection) -> None:
        if connection in self._open:
            self._open.discard(connection)
            self._give_up_one()

    def _give_up_one(self) -> None:
        self._count -= 1
        self._wake_one()

    def _wake_one(self) -> None:
        while self._waiting:
            waiting = self._waiting.popleft()
            if not waiting.done():
                waiting.set_result(None)
                return
