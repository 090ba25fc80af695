"""Another embedding model: its vectors beside those that serve."""

from collections.abc import Callable, Mapping, Sequence
from itertools import count
from uuid import UUID

from ibex.memory.embedding import Embedder, EmbeddingModel
from ibex.memory.repository import embeddings, partitions, reembedding
from ibex.memory.repository.embeddings import NewEmbedding, Unembedded
from ibex.memory.writing.later import embedded
from ibex.storage import Postgres

# As of the backlog: a write that comes meanwhile does not wait long for the partition.
_BATCH = 32
# Vectors that are deleted at once, some 100 ms of work.
_DROPPED_AT_ONCE = 5_000

Progress = Callable[[int], None]


def _silent(done: int) -> None:
    return


class Reembedding:
    """Gives every memory a vector of the embedder's model, while another one's serve.

    What is done is in the database, memory by memory: it may be stopped at any time, and goes on from there.
    """

    def __init__(self, postgres: Postgres, embedder: Embedder) -> None:
        self._postgres = postgres
        self._embedder = embedder

    @property
    def model(self) -> EmbeddingModel:
        return self._embedder.model

    async def remaining(self, org_id: UUID) -> int:
        """How many memories of an organization are without its vector."""
        return await reembedding.count_missing(self._postgres, org_id, await self._model_id())

    async def run(self, org_id: UUID, progress: Progress = _silent) -> int:
        """Embed all that is missing in an organization; how many memories that were.

        What is written or corrected meanwhile is embedded too. Raises `EmbedderUnavailableError` and
        `DatabaseUnavailableError`; what was done until then is kept.
        """
        model, done = await self._model_id(), 0
        while passed := await self._pass(org_id, model, done, progress):
            done += passed
        return done

    async def drop_others(self, org_id: UUID, progress: Progress = _silent) -> int:
        """Delete the vectors of all other models; how many those were. Raises `DatabaseUnavailableError`."""
        model, dropped = await self._model_id(), 0
        while some := await reembedding.drop_others(self._postgres, org_id, model, _DROPPED_AT_ONCE):
            dropped += some
            progress(dropped)
        return dropped

    async def _model_id(self) -> int:
        return await embeddings.model_id(self._postgres, self._embedder.model)

    async def _pass(self, org_id: UUID, model: int, before: int, progress: Progress) -> int:
        """Once through all memories; how many were embedded."""
        done = 0
        last: UUID | None = None
        while found := await reembedding.missing(self._postgres, org_id, model, last, _BATCH):
            last = found[-1].id
            made = await embedded(self._embedder, found)
            for partition_id in sorted({each.partition_id for each in found}):
                there = [each for each in found if each.partition_id == partition_id]
                done += await self._store(org_id, partition_id, model, there, made)
            progress(before + done)
        return done

    async def _store(
        self,
        org_id: UUID,
        partition_id: int,
        model: int,
        found: Sequence[Unembedded],
        made: Mapping[UUID, NewEmbedding],
    ) -> int:
        """How many were stored: not those that have changed or gone meanwhile."""
        async with self._postgres.transaction(org_id) as connection:
            partition = await partitions.lock_by_id(connection, partition_id)
            if partition is None:
                return 0
            same = await reembedding.unchanged(connection, partition_id, found)
            current = [made[each.id] for each in found if each.id in same]
            if current:
                revisions = list(zip((each.memory_id for each in current), count(partition.revision + 1)))
                async with connection.pipeline():
                    await embeddings.store(connection, org_id, partition_id, model, current)
                    await reembedding.tell(connection, partition_id, revisions)
                    await partitions.advance(connection, partition_id, len(current), 0)
            return len(current)
