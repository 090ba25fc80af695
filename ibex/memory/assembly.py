"""The memory module, put together for one process."""

from collections.abc import Sequence
from contextlib import AsyncExitStack

from fastapi import APIRouter

from ibex.auth.access import Access
from ibex.memory import endpoints
from ibex.memory.lazy_embedder import LazyEmbedder
from ibex.memory.lifecycle.ownership import Agents
from ibex.memory.lifecycle.service import MemoryLifecycle
from ibex.memory.repository.partitions import PartitionKey
from ibex.memory.retrieval.tokenizer import Tokenizer
from ibex.memory.searching import MemorySearch
from ibex.memory.writing.backlog import EmbeddingBacklog
from ibex.memory.writing.store import Store
from ibex.memory.writing.vectors import Vectors
from ibex.memory.writing.writer import MemoryWriter
from ibex.memory.writing.written import Written
from ibex.settings import Settings
from ibex.storage import Postgres


class MemoryParts:
    """What writes, finds and changes memories, and what goes on beside it.

    Parameters
    ----------
    postgres: for whoever waits.
    background: for what nobody waits for.
    user_agent: told to a remote embedder.
    """

    def __init__(
        self, settings: Settings, postgres: Postgres, background: Postgres, agents: Agents, user_agent: str
    ) -> None:
        self._embedder = LazyEmbedder.of(settings, user_agent)
        self._backlog = EmbeddingBacklog(background, self._embedder) if self._embedder else None
        vectors = Vectors(postgres, self._embedder)
        tokenizer = Tokenizer()
        self.writer = MemoryWriter(postgres, vectors, Store(postgres, vectors, tokenizer), _written)
        self.search = MemorySearch(postgres, self._embedder)
        self.lifecycle = MemoryLifecycle.over(postgres, agents, vectors, tokenizer, _changed)

    def routers(self, access: Access) -> Sequence[APIRouter]:
        return endpoints.routers(self.writer, self.search, self.lifecycle, access)

    def start(self, running: AsyncExitStack) -> None:
        """`running` stops it all."""
        if self._embedder is not None and self._backlog is not None:
            running.push_async_callback(self._embedder.close)
            self._backlog.start()
            running.push_async_callback(self._backlog.stop)


async def _written(key: PartitionKey, written: Sequence[Written]) -> None:
    """Indexes look for changes before each search; nothing else is cached of a partition."""


async def _changed(key: PartitionKey) -> None:
    """As `_written`."""
