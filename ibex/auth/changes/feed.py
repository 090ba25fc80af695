"""Hears, in every process, of each change within a second.

Two ways lead here. A message over Redis pub/sub comes within milliseconds, but may be missed. The log in
Postgres misses nothing, and is read twice a second. While neither way is open nothing that is remembered is
to be trusted; the feed says so.
"""

import time
from collections.abc import Callable

from redis.asyncio import Redis

from ibex.auth.changes.change import Change
from ibex.auth.changes.listener import Listener
from ibex.auth.changes.reader import LogReader
from ibex.storage import Postgres

# How long after its last sign of life a way counts as open (seconds). What is remembered is at most this much
# behind.
_LIVE_FOR = 0.8


class ChangeFeed:
    """Calls `on_change` for what has changed; with None, anything may have changed."""

    def __init__(self, redis: Redis, postgres: Postgres, on_change: Callable[[Change | None], None]) -> None:
        self._listener = Listener(redis, on_change)
        self._reader = LogReader(postgres, on_change)

    @property
    def is_live(self) -> bool:
        """Whether whatever has changed, but for the last instant, has been told.

        A subscription counts once the log has been read after it: what was announced before is in there.
        """
        now = time.monotonic()
        if now - self._reader.read_at < _LIVE_FOR:
            return True
        return (
            self._listener.subscribed_at <= self._reader.read_at and now - self._listener.heard_at < _LIVE_FOR
        )

    def start(self) -> None:
        self._listener.start()
        self._reader.start()

    async def stop(self) -> None:
        await self._listener.stop()
        await self._reader.stop()
