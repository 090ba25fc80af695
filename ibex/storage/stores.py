"""What one web process reaches its data through, opened and closed together."""

import asyncio
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from typing import Self

from redis.asyncio import Redis as SingleRedis

from ibex.storage.postgres import DatabaseUnavailableError, Postgres
from ibex.storage.redis import Redis, connect, connect_single

# Each command on the request path has a deadline of its own; this only frees a connection that hangs.
_REDIS_PATIENCE = 2.0
_WARM_UP = 2.0
# One connection for the writer of turns, one for that of the audit, and one to read the log of changes.
_WRITING_CONNECTIONS = 3


@dataclass(frozen=True, slots=True)
class Stores:
    """One pool to look up through, and one for what a flood of strangers must not keep waiting.

    A process that has one connection has one pool. `listener` hears and sends what every process is told.
    """

    writing: Postgres
    looking_up: Postgres
    redis: Redis
    listener: SingleRedis

    @classmethod
    def of(cls, postgres_dsn: str, redis_url: str, connections: int) -> Self:
        """Nothing connects yet. `connections` is how many to Postgres there are at most."""
        for_writing = min(connections // 2, _WRITING_CONNECTIONS)
        looking_up = Postgres(postgres_dsn, connections=connections - for_writing)
        return cls(
            writing=Postgres(postgres_dsn, connections=for_writing) if for_writing else looking_up,
            looking_up=looking_up,
            redis=connect(redis_url, timeout=_REDIS_PATIENCE),
            listener=connect_single(redis_url, timeout=_REDIS_PATIENCE),
        )

    async def open(self, running: AsyncExitStack) -> None:
        """Begin to connect; `running` closes it all. What is away does not stop the start."""
        for pool in (self.writing, self.looking_up):
            await pool.open()
            running.push_async_callback(pool.close)
        # The first request should not pay for the first connection.
        with suppress(DatabaseUnavailableError, TimeoutError):
            async with asyncio.timeout(_WARM_UP):
                await self.looking_up.ping()
        running.push_async_callback(self.redis.aclose)
        running.push_async_callback(self.listener.aclose)
