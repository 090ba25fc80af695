"""The vectors of questions, if they are to be had in time."""

import asyncio
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ibex.memory.embedding import Embedder, EmbedderUnavailableError
from ibex.memory.repository import embeddings
from ibex.storage import Postgres

NO_EMBEDDER = "No embedding model is in use: memories were found by their words alone."
_UNAVAILABLE = "The embedding model did not answer: memories were found by their words alone."
_TOO_SLOW = "The embedding model did not answer in time: memories were found by their words alone."


@dataclass(frozen=True, slots=True)
class Question:
    """A question's vector, float32 of unit norm; without one, `degraded` says why."""

    vector: NDArray[np.float32] | None = field(repr=False)
    degraded: str | None


class Questions:
    """Asks the embedder, and does without when it is down or slow.

    Parameters
    ----------
    patience: seconds to wait for a vector, unless somebody has less.
    """

    def __init__(self, postgres: Postgres, embedder: Embedder | None, *, patience: float) -> None:
        self._postgres = postgres
        self._embedder = embedder
        self._patience = patience
        self._model: int | None = None

    async def model(self) -> int | None:
        """The number that the database has given to the embedder's model; None when there is no embedder."""
        if self._model is None and self._embedder is not None:
            self._model = await embeddings.model_id(self._postgres, self._embedder.model)
        return self._model

    async def embedded(self, text: str, patience: float | None = None) -> Question:
        if self._embedder is None:
            return Question(None, NO_EMBEDDER)
        if not text.strip():
            return Question(None, None)
        try:
            async with asyncio.timeout(self._patience if patience is None else patience):
                (vector,) = await self._embedder.embed([text])
        except EmbedderUnavailableError:
            return Question(None, _UNAVAILABLE)
        except TimeoutError:
            return Question(None, _TOO_SLOW)
        return Question(vector, None)
