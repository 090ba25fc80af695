"""Another embedding model: its vectors beside those that serve."""

from collections.abc import Callable, Sequence
from itertools import count
from uuid import UUID

from ibex.memory.embedding import Embedder, text_to_embed
from ibex.memory.repository import embeddings, partitions, reembedding
from ibex.memory.repository.embeddings import NewEmbedding, Unembedded
from ibex.storage import Postgres

# As of the backlog: a write that comes meanwhile does not wait long for the partition.
_BATCH = 32

Progress = Callable[[int], None]


class Reembedding:
    """Gives every live memory a vector of the embedder's model, while another one's serve.

    What is done is in the database, memory by memory: it may be stopped at any time, and goes on from there.
    """

    def __init__(self, postgres: Postgres, embedder: Embedder) -> None:
        self._postgres = postgres
        self._embedder = embedder

    @property
    def model(self) -> str:
        """The name of the model."""
        return self._embedder.model.name

    async def remaining(self, org_id: UUID) -> int:
        """How many memories of an organization are without its vector."""
        model = await embeddings.model_id(self._postgres, self._embedder.model)
        return await reembedding.count_missing(self._postgres, org_id, model)

    async def run(self, org_id: UUID, progress: Progress) -> int:
        """Embed all that is missing in an organization; how many memories that were.

        Raises `EmbedderUnavailableError` and `DatabaseUnavailableError`; what was done until then is kept.
        """
        model = await embeddings.model_id(self._postgres, self._embedder.model)
        done = 0
        last: UUID | None = None
        while found := await reembedding.missing(self._postgres, org_id, model, last, _BATCH):
            last = found[-1].id
            vectors = await self._embedder.embed(
                [text_to_embed(each.content, each.speaker) for each in found]
            )
            made = {
                each.id: NewEmbedding(each.id, each.version, vector)
                for each, vector in zip(found, vectors, strict=True)
            }
            for partition_id in sorted({each.partition_id for each in found}):
                there = [each for each in found if each.partition_id == partition_id]
                done += await self._store(org_id, partition_id, model, there, made)
            progress(done)
        return done

    async def _store(
        self,
        org_id: UUID,
        partition_id: int,
        model: int,
        found: Sequence[Unembedded],
        made: dict[UUID, NewEmbedding],
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
