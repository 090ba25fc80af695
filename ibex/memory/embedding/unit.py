"""Vectors that can be compared by their product."""

import numpy as np
from numpy.typing import NDArray

from ibex.memory.embedding.embedder import EmbedderUnavailableError

# A vector of a real text is far longer; one of nothing but zeros has no direction.
_SHORTEST = 1e-12


def as_unit_vectors(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """The same directions, with unit norm; shape (texts, dimensions).

    Raises `EmbedderUnavailableError` for what has no direction: zeros, NaN or infinity.
    """
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
    if not np.isfinite(lengths).all() or (lengths < _SHORTEST).any():
        raise EmbedderUnavailableError("The embedder gave numbers that are no vector.")
    unit: NDArray[np.float32] = (vectors / lengths).astype(np.float32)
    return unit
