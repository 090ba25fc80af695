"""Looks after the traces that wait to be stored."""

import asyncio
import logging
from collections.abc import Callable

from redis.exceptions import RedisError

from ibex.tasks import BackgroundTask
from ibex.traces.stream import Backlog, TraceStream

logger = logging.getLogger(__name__)

_EVERY = 5.0
# Whoever stores them takes a fraction of a second, and after an outage some seconds.
_TOO_LONG = 60.0


class BacklogWatch:
    """Shows how many traces wait, and says once in the log when nobody stores them.

    Parameters
    ----------
    show: given what is known; None while Redis is away.
    """

    def __init__(self, stream: TraceStream, show: Callable[[Backlog | None], None]) -> None:
        self._stream = stream
        self._show = show
        self._is_stuck = False
        self._task = BackgroundTask("trace backlog", self._run)

    def start(self) -> None:
        self._task.start()

    async def stop(self) -> None:
        await self._task.stop()

    async def look(self) -> None:
        try:
            backlog = await self._stream.backlog()
        except (RedisError, OSError):
            self._show(None)
            return
        self._show(backlog)
        is_stuck = backlog.age > _TOO_LONG
        if is_stuck and not self._is_stuck:
            logger.warning(
                "%d traces wait to be stored, the oldest for %.0f s; "
                "does a job process run (`jobs`, or `ibex worker`), and does its database answer?",
                backlog.traces,
                backlog.age,
            )
        self._is_stuck = is_stuck

    async def _run(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(_EVERY)
