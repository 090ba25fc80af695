"""The embedder of a process that has not started yet."""

from collections.abc import Sequence
from contextlib import suppress

import numpy as np
from numpy.typing import NDArray

from ibex.memory.embedding import Embedder, EmbedderUnavailableError, EmbeddingModel, open_embedder, readiness
from ibex.memory.embedding.minilm_files import NAME, WEIGHTS
from ibex.memory.embedding.minilm_graph import WIDTH
from ibex.settings import Settings
from ibex.tasks import SharedTask


class LazyEmbedder:
    """Opened in the process that uses it, by its start or by whoever needs it first.

    Parameters
    ----------
    model: of the embedder that the settings ask for.
    """

    def __init__(self, settings: Settings, user_agent: str, model: EmbeddingModel) -> None:
        self.model = model
        self._settings = settings
        self._user_agent = user_agent
        self._embedder: Embedder | None = None
        self._opening: SharedTask[Embedder] | None = None
        self._is_closed = False

    @classmethod
    def of(cls, settings: Settings, user_agent: str) -> "LazyEmbedder | None":
        """None when memories are found by their words alone (`readiness` says why)."""
        model = model_of(settings)
        return None if model is None else cls(settings, user_agent, model)

    def start(self) -> None:
        """Begin to open it, so that the first who needs it finds it open."""
        self._begin()

    async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """As `Embedder.embed`. Whoever gives up waiting for it to open does not keep it from opening."""
        if self._is_closed:
            raise EmbedderUnavailableError("The embedder is closed.")
        embedder = self._embedder or await self._begin().result()
        return await embedder.embed(texts)

    async def close(self) -> None:
        self._is_closed = True
        if self._opening is not None:
            with suppress(EmbedderUnavailableError):
                await self._opening.result()
        if self._embedder is not None:
            await self._embedder.close()

    def _begin(self) -> SharedTask[Embedder]:
        if self._opening is None:
            self._opening = SharedTask(self._open(), "embedder-opening", self._opened)
        return self._opening

    async def _open(self) -> Embedder:
        embedder = await open_embedder(self._settings, self._user_agent)
        if embedder is None:
            raise EmbedderUnavailableError("There is no embedder.")
        self._embedder = embedder
        return embedder

    def _opened(self, opening: SharedTask[Embedder]) -> None:
        """One that has failed is tried again by the next who needs it."""
        self._opening = None


def model_of(settings: Settings) -> EmbeddingModel | None:
    """Of the embedder that the settings ask for; None where there is none that could be used."""
    if readiness(settings).retrieval == "lexical":
        return None
    wanted = settings.embedder
    if wanted.kind == "remote" and wanted.model and wanted.dimensions:
        return EmbeddingModel(wanted.model, str(wanted.dimensions), wanted.dimensions)
    return EmbeddingModel(NAME, WEIGHTS.sha256[:12], WIDTH)
