"""What an operator is told of the queue."""

import asyncio
import math
import time
from collections.abc import Callable

from redis.exceptions import RedisError

from ibex.workers.queue import JobQueue
from ibex.workers.state import QueueState

# A worker says three times in fifteen seconds that it looks at the queue. A minute is for the one that is
# started in its place.
LONGEST_UNSEEN = 60.0
_PATIENCE = 1.0
# However many ask, the queue is asked once in this time (seconds).
_KEEP = 1.0


class NoWorkerError(Exception):
    """No worker has looked at the queue for longer than it takes to replace one."""


class QueueObserver:
    """Looks at the queue for whoever asks, and shows what it has seen.

    Parameters
    ----------
    show: given what is known; None while the queue is away.
    """

    def __init__(self, queue: JobQueue, show: Callable[[QueueState | None], None]) -> None:
        self._queue = queue
        self._show = show
        self._lock = asyncio.Lock()
        self._looked_at = -math.inf

    async def look(self) -> None:
        """Raises nothing: without the queue nothing is known of it."""
        async with self._lock:
            if time.monotonic() < self._looked_at + _KEEP:
                return
            try:
                async with asyncio.timeout(_PATIENCE):
                    state = await self._queue.state()
            except (RedisError, OSError):
                state = None
            self._looked_at = time.monotonic()
            self._show(state)

    async def check(self) -> str:
        """How the workers are, in words. Raises `NoWorkerError`, `redis.RedisError` and `OSError`."""
        state = await self._queue.state()
        if is_unseen(state):
            raise NoWorkerError
        return f"{state.waiting} jobs wait, the oldest for {state.oldest_seconds:.0f} s"


def is_unseen(state: QueueState) -> bool:
    """Whether no worker looks at the queue."""
    return state.seen_seconds is None or state.seen_seconds > LONGEST_UNSEEN
