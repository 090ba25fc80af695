"""Rows that are written after the answer: buffered, batched, retried, and counted when they are lost."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from itertools import islice
from typing import Generic, TypeVar

from ibex.storage.postgres import DatabaseUnavailableError

logger = logging.getLogger(__name__)

Item = TypeVar("Item")


class WriteBehind(Generic[Item]):
    """A bounded buffer with one writer.

    Parameters
    ----------
    write: stores a batch, all or nothing; a `DatabaseUnavailableError` keeps the batch for another try.
    dropped: called with the number of items lost, because the buffer was full or the store refused them.
    capacity: most items waiting; the oldest stay, the newest are dropped.
    interval: seconds between two batches.
    """

    def __init__(
        self,
        write: Callable[[Sequence[Item]], Awaitable[None]],
        *,
        dropped: Callable[[int], None],
        capacity: int,
        batch: int = 500,
        interval: float = 0.25,
    ) -> None:
        self._write = write
        self._dropped = dropped
        self._capacity = capacity
        self._batch = batch
        self._interval = interval
        self._items: deque[Item] = deque()
        self._wake = asyncio.Event()
        self._closing = False
        self._writer: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._items)

    def start(self) -> None:
        self._writer = asyncio.create_task(self._run(), name="write-behind")

    def add(self, item: Item) -> None:
        """Take an item; never waits, never fails."""
        if len(self._items) >= self._capacity:
            self._dropped(1)
            return
        self._items.append(item)
        self._wake.set()

    async def close(self, *, within: float) -> None:
        """Write what is left, for at most `within` seconds; what cannot be written is counted as lost."""
        self._closing = True
        self._wake.set()
        if self._writer is not None:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._writer, within)
        if self._items:
            self._dropped(len(self._items))
            self._items.clear()

    async def _run(self) -> None:
        pause = self._interval
        while not (self._closing and not self._items):
            await self._wake.wait()
            if not self._closing:
                await asyncio.sleep(pause)
            self._wake.clear()
            pause = await self._drain(pause)
            if self._items or self._closing:
                self._wake.set()

    async def _drain(self, pause: float) -> float:
        """Write batch after batch; returns how long to wait before the next time, in seconds."""
        size = self._batch
        while self._items:
            batch = list(islice(self._items, size))
            try:
                await self._write(batch)
            except DatabaseUnavailableError:
                if self._closing:
                    await asyncio.sleep(self._interval)
                return min(max(pause, 0.1) * 2, 5.0)
            except Exception:
                logger.exception("%d rows were refused", len(batch))
                if len(batch) > 1:
                    # One row that is refused would be refused for ever; it alone is to be lost.
                    size = 1
                    continue
                self._dropped(1)
            for _ in batch:
                self._items.popleft()
        return self._interval
