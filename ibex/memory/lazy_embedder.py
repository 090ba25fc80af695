"""The embedder of a process that has not started yet."""

import asyncio
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ibex.memory.embedding import Embedder, EmbedderUnavailableError, EmbeddingModel, open_embedder, readiness
from ibex.memory.embedding.minilm_files import NAME, WEIGHTS
from ibex.memory.embedding.minilm_graph import WIDTH
from ibex.settings import Settings


class LazyEmbedder:
    """Opened by whoever needs it first, in the process that uses it.

    Parameters
    ----------
    model: of the embedder that the settings ask for.
    """

    def __init__(self, settings: Settings, user_agent: str, model: EmbeddingModel) -> None:
        self.model = model
        self._settings = settings
        self._user_agent = user_agent
        self._embedder: Embedder | None = None
        self._opening = asyncio.Lock()
        self._is_closed = False

    @classmethod
    def of(cls, settings: Settings, user_agent: str) -> "LazyEmbedder | None":
        """None when memories are found by their words alone (`readiness` says why)."""
        if readiness(settings).retrieval == "lexical":
            return None
        wanted = settings.embedder
        if wanted.kind == "remote" and wanted.model and wanted.dimensions:
            model = EmbeddingModel(wanted.model, str(wanted.dimensions), wanted.dimensions)
        else:
            model = EmbeddingModel(NAME, WEIGHTS.sha256[:12], WIDTH)
        return cls(settings, user_agent, model)

    async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        embedder = self._embedder or await self._opened()
        return await embedder.embed(texts)

    async def close(self) -> None:
        async with self._opening:
            self._is_closed = True
            if self._embedder is not None:
                await self._embedder.close()

    async def _opened(self) -> Embedder:
        async with self._opening:
            if self._is_closed:
                raise EmbedderUnavailableError("The embedder is closed.")
            if self._embedder is None:
                self._embedder = await open_embedder(self._settings, self._user_agent)
            if self._embedder is None:
                raise EmbedderUnavailableError("There is no embedder.")
            return self._embedder
