"""Vectors of texts that were embedded a moment ago."""

import asyncio
import hashlib
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from ibex.memory.embedding.embedder import Embedder, EmbeddingModel

# What is asked in one turn is remembered in the next, and asked again when an agent tries again: a minute is
# as long as an answer takes. It is no longer because memories are erased, and their vectors with them.
_SECONDS = 60.0
# At 384 dimensions some 15 MB.
_MOST = 8_192


class CachingEmbedder:
    """Asks an embedder for what it has not embedded lately, each text once.

    Parameters
    ----------
    seconds: after which a vector is forgotten, whether or not it is asked for.
    most: vectors that are kept; the oldest go first.
    """

    def __init__(self, embedder: Embedder, *, seconds: float = _SECONDS, most: int = _MOST) -> None:
        self._embedder = embedder
        self._seconds = seconds
        self._most = most
        self._vectors: dict[bytes, NDArray[np.float32]] = {}

    @property
    def model(self) -> EmbeddingModel:
        return self._embedder.model

    @property
    def kept(self) -> int:
        """How many vectors it has."""
        return len(self._vectors)

    async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        keys = [_key(text) for text in texts]
        vectors = {key: self._vectors[key] for key in keys if key in self._vectors}
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in vectors}
        if missing:
            rows = await self._embedder.embed(list(missing.values()))
            vectors |= self._keep(zip(missing, rows, strict=True))
        empty = np.empty((0, self.model.dimensions), np.float32)
        return np.stack([vectors[key] for key in keys]) if keys else empty

    async def close(self) -> None:
        self._vectors.clear()
        await self._embedder.close()

    def _keep(self, rows: Iterable[tuple[bytes, NDArray[np.float32]]]) -> dict[bytes, NDArray[np.float32]]:
        # Each with memory of its own: a row of a batch would keep the whole batch.
        new = {key: row.copy() for key, row in rows}
        self._vectors |= new
        for key in list(self._vectors)[: max(len(self._vectors) - self._most, 0)]:
            del self._vectors[key]
        asyncio.get_running_loop().call_later(self._seconds, self._forget, list(new))
        return new

    def _forget(self, keys: Sequence[bytes]) -> None:
        for key in keys:
            self._vectors.pop(key, None)


def _key(text: str) -> bytes:
    """The text itself is not kept."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
