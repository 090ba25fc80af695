"""Embeds later what could not be embedded when it was written, and finds its near duplicates then."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from itertools import count
from uuid import UUID

from ibex.memory.embedding import Embedder, EmbedderUnavailableError
from ibex.memory.repository import changes, embeddings, partitions
from ibex.memory.repository.embeddings import NewEmbedding
from ibex.memory.repository.partitions import PartitionKey
from ibex.memory.writing.draft import Draft
from ibex.memory.writing.later import embedded
from ibex.memory.writing.resettling import redrafted, resettle
from ibex.storage import Connection, DatabaseUnavailableError, Postgres
from ibex.tasks import BackgroundTask

OnChanged = Callable[[PartitionKey], Awaitable[None]]

logger = logging.getLogger(__name__)

# Half a second of the local model: a write that comes meanwhile does not wait long for its own vector.
_BATCH = 32
# Seconds between two looks for work, and after the embedder or the database was down.
_PAUSE = 5.0


class EmbeddingBacklog:
    """Works through the memories without vectors, of one organization after the other, for ever.

    Any number of processes may: what another one has embedded meanwhile is left as it is.

    Parameters
    ----------
    on_changed: told, after the commit, of every partition that has changed; it must not raise.
    pause: seconds between two looks for work.
    """

    def __init__(
        self, postgres: Postgres, embedder: Embedder, on_changed: OnChanged, *, pause: float = _PAUSE
    ) -> None:
        self._postgres = postgres
        self._embedder = embedder
        self._on_changed = on_changed
        self._pause = pause
        self._task = BackgroundTask("embedding backlog", self._run)

    def start(self) -> None:
        self._task.start()

    async def stop(self) -> None:
        await self._task.stop()

    async def clear(self) -> int:
        """Embed all that waits now; how many memories that were.

        Raises `EmbedderUnavailableError` and `DatabaseUnavailableError`; what was done until then is kept.
        """
        model = await embeddings.model_id(self._postgres, self._embedder.model)
        stored = 0
        org_id = await embeddings.next_organization_to_embed(self._postgres, None)
        while org_id is not None:
            stored += await self._clear_organization(org_id, model)
            org_id = await embeddings.next_organization_to_embed(self._postgres, org_id)
        return stored

    async def _run(self) -> None:
        while True:
            try:
                await self.clear()
            except (EmbedderUnavailableError, DatabaseUnavailableError) as error:
                logger.warning("memories wait for their vectors (%s)", type(error).__name__)
            await asyncio.sleep(self._pause)

    async def _clear_organization(self, org_id: UUID, model: int) -> int:
        stored = 0
        # One that has changed while its vector was made stays behind, and its turn comes with the next look.
        last: UUID | None = None
        while waiting := await embeddings.unembedded(self._postgres, org_id, last, _BATCH):
            last = waiting[-1].id
            found = await embedded(self._embedder, waiting)
            for partition_id in sorted({each.partition_id for each in waiting}):
                there = [found[each.id] for each in waiting if each.partition_id == partition_id]
                stored += await self._store(org_id, partition_id, model, there)
        return stored

    async def _store(self, org_id: UUID, partition_id: int, model: int, found: Sequence[NewEmbedding]) -> int:
        """How many were stored: not those that have changed or gone meanwhile."""
        async with self._postgres.transaction(org_id) as connection:
            partition = await partitions.lock_by_id(connection, partition_id)
            if partition is None:
                return 0
            waiting = await embeddings.still_unembedded(
                connection, partition_id, [each.memory_id for each in found]
            )
            current = [each for each in found if waiting.get(each.memory_id) == each.version]
            if not current:
                return 0
            revisions = zip((each.memory_id for each in current), count(partition.revision + 1))
            async with connection.pipeline():
                await embeddings.mark_embedded(connection, partition_id, list(revisions))
                await partitions.advance(connection, partition_id, len(current), 0)
            partition = replace(partition, revision=partition.revision + len(current))
            drafts = await _drafts(connection, org_id, current)
            await resettle(connection, partition, "system", model, drafts)
        await self._on_changed(drafts[0].partition)
        return len(current)


async def _drafts(connection: Connection, org_id: UUID, found: Sequence[NewEmbedding]) -> list[Draft]:
    """Memories with their vectors. What they claim was compared when they were written."""
    memories = {
        each.id: each for each in await changes.current_ones(connection, [f.memory_id for f in found])
    }
    return [
        replace(redrafted(org_id, memories[each.memory_id]), claims=(), vector=each.vector) for each in found
    ]
