"""The durable way to hear of changes: the log in Postgres, read twice a second."""

import asyncio
import logging
import time
from collections.abc import Callable

import psycopg

from ibex.auth.changes import repository
from ibex.auth.changes.change import Change, change_of
from ibex.auth.changes.repository import Position
from ibex.storage import DatabaseUnavailableError, Postgres
from ibex.tasks import BackgroundTask

logger = logging.getLogger(__name__)

_READ_EVERY = 0.4
# What takes longer than this is asked anew, on another connection (seconds).
_PATIENCE = 2.0


class LogReader:
    """Reads on from where it was, and calls `on_change` for every entry; with None when some are missing.

    `read_at` is when the last read that succeeded was begun: every change up to then has been told.
    """

    def __init__(self, postgres: Postgres, on_change: Callable[[Change | None], None]) -> None:
        self._postgres = postgres
        self._on_change = on_change
        self._position: Position | None = None
        self._is_cut_off = False
        self._task = BackgroundTask("changes-reader", self._keep_reading)
        self.read_at = float("-inf")

    def start(self) -> None:
        self._task.start()

    async def stop(self) -> None:
        await self._task.stop()

    async def _keep_reading(self) -> None:
        while True:
            asked_at = time.monotonic()
            try:
                async with asyncio.timeout(_PATIENCE):
                    await self._read()
            except (DatabaseUnavailableError, psycopg.Error, TimeoutError) as error:
                self._tell(error)
            else:
                self.read_at = asked_at
                self._tell(None)
            await asyncio.sleep(_READ_EVERY)

    async def _read(self) -> None:
        news = await repository.changes_after(self._postgres, self._position or Position())
        if news is None or news.position == self._position:
            return
        if self._position is None or not news.is_complete:
            self._on_change(None)
        else:
            for kind, subject in zip(news.kinds, news.subjects, strict=True):
                self._on_change(change_of(kind, subject))
        self._position = news.position

    def _tell(self, error: Exception | None) -> None:
        """Once per outage: whoever reads what is logged at night has enough to read."""
        if error is not None and not self._is_cut_off:
            logger.warning("the log of changes cannot be read (%s: %s)", type(error).__name__, error)
        elif error is None and self._is_cut_off:
            logger.warning("the log of changes is read again")
        self._is_cut_off = error is not None
