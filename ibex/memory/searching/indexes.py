"""Indexes of partitions that show everything that was committed before the search began."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from ibex.memory.repository import index_rows
from ibex.memory.repository.index_rows import PartitionState
from ibex.memory.retrieval.index import Index
from ibex.memory.searching.index_cache import IndexCache, IndexKey
from ibex.memory.searching.partition import IndexedPartition
from ibex.storage import DatabaseUnavailableError, Postgres
from ibex.tasks import SharedTask

# With more memories than this, indexing takes more than a few milliseconds.
_INDEXED_ON_THE_LOOP = 500

Result = TypeVar("Result")


class Indexes:
    """Loads partitions and brings them up to date; searches of one partition share one load.

    Parameters
    ----------
    nothing: an index without memories.
    patience: seconds that a search waits for a load.
    """

    def __init__(self, postgres: Postgres, cache: IndexCache, nothing: Index, *, patience: float) -> None:
        self._postgres = postgres
        self._nothing = nothing
        self._cache = cache
        self._patience = patience
        self._loads: dict[IndexKey, SharedTask[IndexedPartition]] = {}

    async def up_to_date(self, key: IndexKey, state: PartitionState) -> IndexedPartition:
        """A partition that shows at least what it was when its state was read.

        Raises `DatabaseUnavailableError`.
        """
        partition = self._cache.get(key)
        while partition is None or not partition.shows(state.revision, state.epoch):
            load = self._loads.get(key)
            if load is None:
                load = self._loads[key] = SharedTask(
                    self._load(key, state), "index-load", lambda done: self._finished(key, done)
                )
            # One that began for an earlier search may show less than this one has to.
            try:
                partition = await load.result(self._patience)
            except TimeoutError:
                raise DatabaseUnavailableError("a partition of memories was not read in time") from None
        return partition

    def _finished(self, key: IndexKey, load: SharedTask[IndexedPartition]) -> None:
        if self._loads.get(key) is load:
            del self._loads[key]

    async def _load(self, key: IndexKey, state: PartitionState) -> IndexedPartition:
        known = self._cache.get(key)
        if known is None or known.epoch < state.epoch:
            rows = await index_rows.live_rows(self._postgres, key.org_id, key.partition_id, key.model)
            partition = await beside_the_loop(
                len(rows), lambda: IndexedPartition.of(rows, self._nothing, state.revision, state.epoch)
            )
        else:
            rows = await index_rows.rows_changed_since(
                self._postgres, key.org_id, key.partition_id, known.revision, key.model
            )
            partition = await beside_the_loop(
                len(known.index) + len(rows), lambda: known.updated(rows, state.revision)
            )
        self._cache.put(key, partition)
        return partition


async def beside_the_loop(
    memories: int, work: Callable[[], Result], *, most: int = _INDEXED_ON_THE_LOOP
) -> Result:
    """Call a function here, or on a thread where there are so many memories that others would wait."""
    if memories <= most:
        return work()
    return await asyncio.to_thread(work)
