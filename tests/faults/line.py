"""A line to a server that a test makes slow or cuts."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path


class Line:
    """Passes bytes on between a socket of its own and a server's, each after `delay` seconds.

    `turns` counts how often the direction changed towards the server: the round trips that were made.
    """

    def __init__(self, here: Path, server: Path) -> None:
        self.delay = 0.0
        self.turns = 0
        self.address = here
        self._server_path = server
        self._connections: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    @classmethod
    @contextlib.asynccontextmanager
    async def to(cls, server: Path, here: Path) -> AsyncIterator["Line"]:
        """A line that listens at `here` until the block ends."""
        line = cls(here, server)
        await line.restore()
        try:
            yield line
        finally:
            await line.cut()

    async def restore(self) -> None:
        """Accept connections again."""
        self._server = await asyncio.start_unix_server(self._connect, self.address)

    async def cut(self) -> None:
        """Refuse new connections and end those that are open."""
        if self._server is not None:
            self._server.close()
            self._server = None
            self.address.unlink(missing_ok=True)
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        writers = [writer]
        try:
            server_reader, server_writer = await asyncio.open_unix_connection(self._server_path)
            writers.append(server_writer)
            last = [writer]
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pass_on(reader, server_writer, server_writer, last))
                group.create_task(self._pass_on(server_reader, writer, server_writer, last))
        except* (OSError, asyncio.CancelledError):
            pass
        finally:
            for end in writers:
                end.close()
            self._connections.discard(task)

    async def _pass_on(
        self,
        source: asyncio.StreamReader,
        target: asyncio.StreamWriter,
        server: asyncio.StreamWriter,
        last: list[asyncio.StreamWriter],
    ) -> None:
        while chunk := await source.read(1 << 16):
            if target is server and last[0] is not server:
                self.turns += 1
            last[0] = target
            await asyncio.sleep(self.delay)
            target.write(chunk)
            await target.drain()
        target.close()
