"""Vectors of texts that were embedded before."""

import hashlib
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ibex.memory.embedding.embedder import Embedder, EmbeddingModel

# What a key and the dictionary around it take, beside the vector itself.
_OVERHEAD = 250


class VectorCache(Protocol):
    """Vectors by key. What it has lost is embedded again, so it may lose anything, but mix up nothing."""

    async def get(self, keys: Sequence[bytes]) -> Mapping[bytes, NDArray[np.float32]]:
        """Those that there are."""
        ...

    async def put(self, vectors: Mapping[bytes, NDArray[np.float32]]) -> None: ...


class InProcessVectorCache:
    """The vectors used last, within a bound.

    Parameters
    ----------
    capacity: bytes in all. One of 384 dimensions takes 1,786.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._size = 0
        self._vectors: OrderedDict[bytes, NDArray[np.float32]] = OrderedDict()

    @property
    def size(self) -> int:
        """Bytes that are taken."""
        return self._size

    async def get(self, keys: Sequence[bytes]) -> Mapping[bytes, NDArray[np.float32]]:
        found = {}
        for key in keys:
            vector = self._vectors.get(key)
            if vector is not None:
                self._vectors.move_to_end(key)
                found[key] = vector
        return found

    async def put(self, vectors: Mapping[bytes, NDArray[np.float32]]) -> None:
        for key, vector in vectors.items():
            # Its own memory: a row of a batch would keep the whole batch.
            kept = vector.copy()
            kept.setflags(write=False)
            before = self._vectors.pop(key, None)
            self._size += _bytes_of(kept) - (_bytes_of(before) if before is not None else 0)
            self._vectors[key] = kept
        while self._size > self._capacity:
            _, oldest = self._vectors.popitem(last=False)
            self._size -= _bytes_of(oldest)


class CachingEmbedder:
    """Asks an embedder for what the cache does not have, each text once."""

    def __init__(self, embedder: Embedder, cache: VectorCache) -> None:
        self._embedder = embedder
        self._cache = cache

    @property
    def model(self) -> EmbeddingModel:
        return self._embedder.model

    async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        keys = [_key(self.model, text) for text in texts]
        found = dict(await self._cache.get(keys))
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in found}
        if missing:
            vectors = await self._embedder.embed(list(missing.values()))
            new = dict(zip(missing, vectors, strict=True))
            await self._cache.put(new)
            found |= new
        empty = np.empty((0, self.model.dimensions), np.float32)
        return np.stack([found[key] for key in keys]) if keys else empty

    async def close(self) -> None:
        await self._embedder.close()


def _key(model: EmbeddingModel, text: str) -> bytes:
    """Of a model and a text: the text itself is not kept."""
    content = hashlib.sha256(f"{model.name}\0{model.version}\0{model.dimensions}\0".encode())
    content.update(text.encode("utf-8", "surrogatepass"))
    return content.digest()


def _bytes_of(vector: NDArray[np.float32]) -> int:
    return vector.nbytes + _OVERHEAD
