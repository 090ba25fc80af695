"""Rows of vectors that successive indexes share."""

from collections.abc import Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray


class Vectors:
    """A matrix that grows at its end; float32, one row per slot, zeros where a slot has no vector.

    Growing returns a new value. It shares its memory with the old one, which keeps seeing only its own rows.
    """

    def __init__(self, buffer: NDArray[np.float32], count: int, written: list[int]) -> None:
        self._buffer = buffer
        self._count = count
        # How far the buffer has been written, by whichever value of those that share it was first.
        self._written = written

    @classmethod
    def empty(cls) -> Self:
        return cls(np.zeros((0, 0), np.float32), 0, [0])

    @property
    def dimensions(self) -> int:
        """0 when no row has a vector."""
        return int(self._buffer.shape[1])

    @property
    def matrix(self) -> NDArray[np.float32]:
        return self._buffer[: self._count]

    def followed_by(self, rows: Sequence[NDArray[np.float32] | None]) -> "Vectors":
        """Raises ValueError when a row differs in length from those that are here."""
        dimensions = self.dimensions or next((row.shape[0] for row in rows if row is not None), 0)
        count = self._count + len(rows)
        if dimensions == self.dimensions and self._written[0] == self._count and count <= len(self._buffer):
            buffer, written = self._buffer, self._written
        else:
            # Half as much again, so that growing row by row copies each row a bounded number of times.
            buffer, written = np.zeros((count + count // 2, dimensions), np.float32), [self._count]
            if self.dimensions:
                buffer[: self._count] = self.matrix
        _fill(buffer[self._count : count], rows)
        written[0] = count
        return Vectors(buffer, count, written)


def _fill(matrix: NDArray[np.float32], rows: Sequence[NDArray[np.float32] | None]) -> None:
    for at, row in enumerate(rows):
        if row is None:
            continue
        if row.shape != (matrix.shape[1],):
            raise ValueError(f"an index holds vectors of one length: {matrix.shape[1]}, not {row.shape}")
        matrix[at] = row
