"""Rows that are written after the answer: buffered, batched, retried, and counted when they are lost."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from itertools import islice
from typing import Generic, TypeVar

import psycopg

from ibex.storage.postgres import DatabaseUnavailableError
from ibex.tasks import BackgroundTask

logger = logging.getLogger(__name__)

Item = TypeVar("Item")

# What is wrong with the row itself, and would be for ever: the database says so, or it cannot be encoded.
_REFUSED = (psycopg.DataError, psycopg.IntegrityError, ValueError, TypeError)
_AWAY: tuple[type[Exception], ...] = (DatabaseUnavailableError, psycopg.Error)


class WriteBehind(Generic[Item]):
    """A bounded buffer with one writer.

    Parameters
    ----------
    write: stores a batch. It may get items again that it has stored, after an error that came later, and must
        then leave them as they are. Any error but that of a bad row keeps the items for another try.
    dropped: called with the number of items lost, because the buffer was full or the store refused them.
    capacity: most items waiting; the oldest stay, the newest are dropped.
    interval: seconds between two batches.
    away: the errors of a store that is away, which are worth no more than a line in the log.
    """

    def __init__(
        self,
        write: Callable[[Sequence[Item]], Awaitable[None]],
        *,
        dropped: Callable[[int], None],
        capacity: int,
        batch: int = 500,
        interval: float = 0.25,
        away: tuple[type[Exception], ...] = _AWAY,
    ) -> None:
        self._write = write
        self._dropped = dropped
        self._capacity = capacity
        self._batch = batch
        self._interval = interval
        self._away = away
        self._items: deque[Item] = deque()
        self._wake = asyncio.Event()
        self._closing = asyncio.Event()
        self._writer = BackgroundTask("write-behind", self._run)

    def __len__(self) -> int:
        return len(self._items)

    def start(self) -> None:
        self._writer.start()

    def add(self, item: Item) -> None:
        """Take an item; never waits, never fails."""
        if len(self._items) >= self._capacity:
            self._dropped(1)
            return
        self._items.append(item)
        self._wake.set()

    async def close(self, *, within: float) -> None:
        """Write what is left, for at most `within` seconds; what cannot be written is counted as lost."""
        self._closing.set()
        self._wake.set()
        await self._writer.stop(within=within)
        if self._items:
            self._dropped(len(self._items))
            self._items.clear()

    async def _run(self) -> None:
        pause = self._interval
        while not (self._closing.is_set() and not self._items):
            await self._wake.wait()
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._closing.wait()
            pause = await self._drain(pause)
            if not self._items and not self._closing.is_set():
                self._wake.clear()

    async def _drain(self, pause: float) -> float:
        """Write batch after batch; returns how long to wait before the next time, in seconds."""
        while self._items:
            try:
                await self._store(list(islice(self._items, self._batch)))
            except self._away as error:
                if pause == self._interval:
                    logger.warning("rows are kept for another try (%s)", type(error).__name__)
                if self._closing.is_set():
                    await asyncio.sleep(self._interval)
                return min(max(pause, 0.1) * 2, 5.0)
        return self._interval

    async def _store(self, items: Sequence[Item]) -> None:
        """Write the first items of the buffer. When they are refused each is tried alone, and only a bad one
        is lost: it would be refused for ever.
        """
        try:
            await self._write(items)
        except _REFUSED:
            if len(items) > 1:
                for item in items:
                    await self._store([item])
                return
            logger.exception("a row was refused and is lost")
            self._dropped(1)
        for _ in items:
            self._items.popleft()
