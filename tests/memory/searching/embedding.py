"""An embedder whose vectors are as close as texts have words in common, or words that mean the same."""

import asyncio
from collections.abc import Sequence
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from ibex.memory.embedding import EmbedderUnavailableError, EmbeddingModel
from ibex.memory.retrieval.tokenizer import Tokenizer

DIMENSIONS = 384
SAME = {"violoncello": "cello", "feline": "cat"}


class BagOfWords:
    """Each word has a random direction of its own."""

    model = EmbeddingModel("all-MiniLM-L6-v2", "53aa51172d14", DIMENSIONS)

    def __init__(self) -> None:
        self._tokenizer = Tokenizer()

    async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return np.stack([self.vector(text) for text in texts])

    def vector(self, text: str) -> NDArray[np.float32]:
        words = [word for word in self._tokenizer.words(text) if word not in {"the", "a", "is"}]
        total = sum((_direction(SAME.get(word, word)) for word in words), start=np.zeros(DIMENSIONS))
        unit: NDArray[np.float32] = (total / np.linalg.norm(total)).astype(np.float32)
        return unit

    async def close(self) -> None:
        return


class Broken(BagOfWords):
    """Down."""

    async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        raise EmbedderUnavailableError("down")


class Hanging(BagOfWords):
    """Never answers."""

    async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        await asyncio.Event().wait()
        raise AssertionError


def _direction(word: str) -> NDArray[np.float64]:
    seed = int.from_bytes(sha256(word.encode()).digest()[:8], "big")
    return np.random.default_rng(seed).standard_normal(DIMENSIONS)
