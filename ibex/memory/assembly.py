"""The memory module, put together for one process."""

from collections.abc import Sequence
from contextlib import AsyncExitStack

from ibex.auth.agents.ownership import Agents
from ibex.memory.hot_set import HotSet
from ibex.memory.lazy_embedder import LazyEmbedder
from ibex.memory.lifecycle.backfill import EmbeddingBackfill
from ibex.memory.lifecycle.reembedding import Reembedding
from ibex.memory.lifecycle.service import MemoryLifecycle
from ibex.memory.repository.partitions import PartitionKey
from ibex.memory.retrieval.tokenizer import Tokenizer
from ibex.memory.searching import MemorySearch, SearchSettings
from ibex.memory.writing.backlog import EmbeddingBacklog
from ibex.memory.writing.store import Store
from ibex.memory.writing.vectors import Vectors
from ibex.memory.writing.writer import MemoryWriter
from ibex.memory.writing.written import Written
from ibex.settings import MemorySettings, Settings
from ibex.storage import Postgres, Redis


class MemoryParts:
    """What writes, finds and changes memories, and what goes on beside it.

    Parameters
    ----------
    postgres: for whoever waits.
    background: for what nobody waits for.
    user_agent: told to a remote embedder.
    """

    def __init__(
        self,
        settings: Settings,
        postgres: Postgres,
        background: Postgres,
        redis: Redis,
        agents: Agents,
        user_agent: str,
    ) -> None:
        self._embedder = LazyEmbedder.of(settings, user_agent)
        self.hot_set = HotSet(postgres, redis)
        self.reembedding: Reembedding | None = None
        self._beside: list[EmbeddingBacklog | EmbeddingBackfill] = []
        if self._embedder is not None:
            self.reembedding = Reembedding(background, self._embedder)
            self._beside = [
                EmbeddingBacklog(background, self._embedder, self.hot_set.changed),
                EmbeddingBackfill(background, self.reembedding),
            ]
        vectors = Vectors(postgres, self._embedder)
        tokenizer = Tokenizer()
        self.writer = MemoryWriter(postgres, vectors, Store(postgres, vectors, tokenizer), self._written)
        self.search = MemorySearch(postgres, self._embedder, _search_settings(settings.memory))
        self.lifecycle = MemoryLifecycle.over(postgres, agents, vectors, tokenizer, self.hot_set.changed)

    def start(self, running: AsyncExitStack) -> None:
        """`running` stops it all."""
        running.push_async_callback(self.close)
        if self._embedder is not None:
            self._embedder.start()
        for part in self._beside:
            part.start()
            running.push_async_callback(part.stop)

    async def close(self) -> None:
        """For whoever has used it without starting it."""
        if self._embedder is not None:
            await self._embedder.close()

    async def _written(self, key: PartitionKey, written: Sequence[Written]) -> None:
        await self.hot_set.changed(key)


def _search_settings(settings: MemorySettings) -> SearchSettings:
    return SearchSettings(
        cache_bytes=settings.index_cache_mb << 20,
        exact_up_to=settings.exact_up_to,
        embedder_patience=settings.embedder_patience_seconds,
        load_patience=settings.load_patience_seconds,
    )
