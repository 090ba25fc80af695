"""Vectors of what is written, if they are to be had in time."""

import asyncio
import logging
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ibex.memory.embedding import Embedder, EmbedderUnavailableError, text_to_embed
from ibex.memory.repository import embeddings
from ibex.memory.writing.draft import Draft
from ibex.storage import Postgres

logger = logging.getLogger(__name__)

# Seconds that a write waits for vectors. The local model takes some 10 ms for a turn of a conversation on one
# core, and up to 250 ms for the longest texts; who waits longer waits behind others, and is better served by
# a vector that comes later.
_PATIENCE = 1.0
_PATIENCE_PER_TEXT = 0.25


class Vectors:
    """Asks the embedder, and does without when it is down or slow: the backlog embeds later.

    Parameters
    ----------
    embedder: None when there is no model; then nothing is ever embedded.
    """

    def __init__(self, postgres: Postgres, embedder: Embedder | None) -> None:
        self._postgres = postgres
        self._embedder = embedder
        self._model_id: int | None = None

    async def embedded(self, drafts: Sequence[Draft]) -> list[Draft]:
        """The drafts, with vectors for those that will be searched if they can be had now."""
        active = [draft for draft in drafts if draft.is_active]
        vectors = await self._of([_text(draft) for draft in active])
        if vectors is None:
            return list(drafts)
        found = {draft.memory.id: vector for draft, vector in zip(active, vectors, strict=True)}
        return [
            draft.with_vector(found[draft.memory.id]) if draft.memory.id in found else draft
            for draft in drafts
        ]

    async def model_id(self) -> int | None:
        """The number that the database has given to the embedder's model; None when there is no embedder."""
        if self._model_id is None and self._embedder is not None:
            self._model_id = await embeddings.model_id(self._postgres, self._embedder.model)
        return self._model_id

    async def _of(self, texts: Sequence[str]) -> NDArray[np.float32] | None:
        if self._embedder is None or not texts:
            return None
        try:
            async with asyncio.timeout(_PATIENCE + _PATIENCE_PER_TEXT * len(texts)):
                return await self._embedder.embed(texts)
        except (EmbedderUnavailableError, TimeoutError) as error:
            logger.warning("memories are stored without vectors for now (%s)", type(error).__name__)
            return None


def _text(draft: Draft) -> str:
    return text_to_embed(draft.memory.content, draft.memory.provenance.voice)
