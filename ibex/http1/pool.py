"""The connections to one origin: kept while they are used, bounded, and given out one at a time."""

import asyncio
import ssl
import time
from collections import OrderedDict, deque

from ibex.http1.connection import Connection
from ibex.http1.errors import UnreachableError

# Providers close idle connections after a minute or so; to use one that is just being closed fails a call.
_KEEP_IDLE = 30.0

# What a caller who waits will be given: a connection, or None and the place for one.
_Turn = asyncio.Future[Connection | None]


class Pool:
    """Connections to `host`:`port`.

    Parameters
    ----------
    connect_timeout: seconds for a connection to be made, TLS included.
    connections: most of them; who finds none free waits for one, first come, first served.
    address: to connect to, in place of those that `host` has.
    """

    def __init__(
        self,
        host: str,
        port: int,
        tls: ssl.SSLContext | None,
        *,
        connect_timeout: float,
        connections: int,
        address: str | None = None,
    ) -> None:
        self._host = host
        self._address = address or host
        self._port = port
        self._tls = tls
        self._connect_timeout = connect_timeout
        self._limit = connections
        self._open: set[Connection] = set()
        # Those being made count as well, and places that have just been handed over.
        self._count = 0
        self._idle: deque[Connection] = deque()
        # While somebody waits nothing is idle and no place is free: whoever comes later is served later.
        self._waiting: OrderedDict[_Turn, None] = OrderedDict()
        self._is_closed = False

    async def take(self) -> Connection:
        """A connection of one's own. Raises `UnreachableError`."""
        if self._is_closed:
            raise UnreachableError("closed")
        connection = self._take_idle()
        if connection is None and self._count < self._limit:
            self._count += 1
        elif connection is None:
            connection = await self._wait()
        return connection if connection is not None else await self._connect()

    def close(self) -> None:
        """End every connection; whoever has or waits for one gets an error."""
        self._is_closed = True
        while self._waiting:
            turn, _ = self._waiting.popitem(last=False)
            if not turn.done():
                turn.set_exception(UnreachableError("closed"))
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
        """A new connection, in a place that is the caller's already."""
        try:
            async with asyncio.timeout(self._connect_timeout):
                _, connection = await asyncio.get_running_loop().create_connection(
                    lambda: Connection(self._release),
                    self._address,
                    self._port,
                    ssl=self._tls,
                    server_hostname=self._host if self._tls else None,
                )
        except (OSError, TimeoutError) as error:
            self._pass_on(None)
            raise UnreachableError(type(error).__name__) from error
        except BaseException:
            self._pass_on(None)
            raise
        self._open.add(connection)
        if self._is_closed:
            self._drop(connection)
            raise UnreachableError("closed")
        return connection

    async def _wait(self) -> Connection | None:
        """A connection that somebody else is done with, or None and the place for one."""
        turn: _Turn = asyncio.get_running_loop().create_future()
        self._waiting[turn] = None
        try:
            connection = await turn
        except asyncio.CancelledError:
            self._waiting.pop(turn, None)
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self._pass_on(turn.result())
            raise
        if connection is not None and not connection.is_reusable:
            # It has ended since it was handed over. Its place is still there.
            self._open.discard(connection)
            return None
        return connection

    def _release(self, connection: Connection) -> None:
        if connection in self._open:
            if connection.is_reusable and not self._is_closed:
                self._pass_on(connection)
            else:
                self._forget(connection)

    def _drop(self, connection: Connection) -> None:
        connection.abort()
        self._forget(connection)

    def _forget(self, connection: Connection) -> None:
        if connection in self._open:
            self._open.discard(connection)
            self._pass_on(None)

    def _pass_on(self, connection: Connection | None) -> None:
        """Give a connection, or with None the place for one, to who has waited longest."""
        while self._waiting:
            turn, _ = self._waiting.popitem(last=False)
            if not turn.done():
                turn.set_result(connection)
                return
        if connection is None:
            self._count -= 1
        else:
            connection.idle_since = time.monotonic()
            self._idle.append(connection)
