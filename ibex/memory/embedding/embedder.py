"""What an embedder is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class EmbeddingModel:
    """Vectors of two models cannot be compared: name and version tell them apart."""

    name: str
    version: str
    dimensions: int


class EmbedderUnavailableError(Exception):
    """The embedder did not answer, or not with vectors that can be used."""


class Embedder(Protocol):
    """Turns texts into vectors whose cosine says how close their meanings are."""

    @property
    def model(self) -> EmbeddingModel: ...

    async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of shape (texts, dimensions), unit norm, in the order of the texts.

        Raises `EmbedderUnavailableError`.
        """
        ...

    async def close(self) -> None: ...
