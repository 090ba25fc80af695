"""all-MiniLM-L6-v2 as it was published, in float64: slow, plain, and what ours is compared with."""

from collections.abc import Sequence
from math import erf, sqrt
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ibex.memory.embedding.minilm_files import WEIGHTS
from ibex.memory.embedding.safetensors import mapped, stored_tensors

_LAYERS = 6
_HEADS = 12
_EPSILON = 1e-12

Matrix = NDArray[np.float64]


class Reference:
    """Vectors of one text at a time."""

    def __init__(self, folder: Path) -> None:
        file = folder / WEIGHTS.name
        self._weights = {name: mapped(file, tensor) for name, tensor in stored_tensors(file).items()}

    def vector(self, pieces: Sequence[int]) -> Matrix:
        """The unit vector of a text that has been split, shape (384,)."""
        words = self._of("embeddings.word_embeddings.weight")[list(pieces)]
        places = self._of("embeddings.position_embeddings.weight")[: len(pieces)]
        kind = self._of("embeddings.token_type_embeddings.weight")[0]
        hidden = self._norm(words + places + kind, "embeddings")
        for layer in range(_LAYERS):
            name = f"encoder.layer.{layer}"
            mixed = self._linear(
                self._mixed(hidden, f"{name}.attention.self"), f"{name}.attention.output.dense"
            )
            hidden = self._norm(mixed + hidden, f"{name}.attention.output")
            inner = _gelu(self._linear(hidden, f"{name}.intermediate.dense"))
            hidden = self._norm(self._linear(inner, f"{name}.output.dense") + hidden, f"{name}.output")
        mean: Matrix = hidden.mean(axis=0)
        return mean / np.linalg.norm(mean)

    def _mixed(self, hidden: Matrix, name: str) -> Matrix:
        query, key, value = (
            self._linear(hidden, f"{name}.{part}").reshape(len(hidden), _HEADS, -1).swapaxes(0, 1)
            for part in ("query", "key", "value")
        )
        scores = np.exp(query @ key.swapaxes(1, 2) / sqrt(query.shape[-1]))
        shares = scores / scores.sum(axis=-1, keepdims=True)
        mixed: Matrix = (shares @ value).swapaxes(0, 1).reshape(len(hidden), -1)
        return mixed

    def _linear(self, rows: Matrix, name: str) -> Matrix:
        return rows @ self._of(f"{name}.weight").T + self._of(f"{name}.bias")

    def _norm(self, rows: Matrix, name: str) -> Matrix:
        centred = rows - rows.mean(axis=-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + _EPSILON)
        normed: Matrix = scaled * self._of(f"{name}.LayerNorm.weight") + self._of(f"{name}.LayerNorm.bias")
        return normed

    def _of(self, name: str) -> Matrix:
        return self._weights[name].astype(np.float64)


def _gelu(rows: Matrix) -> Matrix:
    activated: Matrix = rows * (1 + np.vectorize(erf)(rows / sqrt(2))) / 2
    return activated
