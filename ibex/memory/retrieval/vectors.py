"""Rows of vectors that successive indexes share."""

from collections.abc import Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray

# The largest number of a row is stored as this.
_PEAK = 127
# So many rows are compared at a time: as float32 they stay within the processor's cache, and are few enough
# that BLAS starts no threads, which on busy cores wait for each other longer than they compute.
_BLOCK = 256


class Vectors:
    """A matrix that grows at its end, one row per slot, zeros where a slot has no vector.

    A row is kept as int8 in multiples of a 127th of its largest number, a quarter of what float32 takes. The
    cosine of two sentences moves by less than 0.002, most by a quarter of that.

    Growing returns a new value. It shares its memory with the old one, which keeps seeing only its own rows.
    """

    def __init__(
        self, buffer: NDArray[np.int8], scales: NDArray[np.float32], count: int, written: list[int]
    ) -> None:
        self._buffer = buffer
        self._scales = scales
        self._count = count
        # How far the buffer has been written, by whichever value of those that share it was first.
        self._written = written

    @classmethod
    def empty(cls) -> Self:
        return cls(np.zeros((0, 0), np.int8), np.zeros(0, np.float32), 0, [0])

    @property
    def dimensions(self) -> int:
        """0 when no row has a vector."""
        return int(self._buffer.shape[1])

    @property
    def nbytes(self) -> int:
        return self._count * (self.dimensions + self._scales.itemsize)

    def rows(self, slots: NDArray[np.int64]) -> NDArray[np.float32]:
        """Of these slots; float32, shape (n, dimensions)."""
        values: NDArray[np.float32] = self._buffer[slots].astype(np.float32)
        values *= self._scales[slots, None]
        return values

    def products(self, vector: NDArray[np.float32]) -> NDArray[np.float32]:
        """The inner product of each row with a vector; float32, shape (slots,)."""
        products = np.empty(self._count, np.float32)
        for start in range(0, self._count, _BLOCK):
            rows = slice(start, min(start + _BLOCK, self._count))
            products[rows] = self._buffer[rows].astype(np.float32) @ vector
        products *= self._scales[: self._count]
        return products

    def followed_by(self, rows: Sequence[NDArray[np.float32] | None]) -> "Vectors":
        """Raises ValueError when a row differs in length from those that are here."""
        dimensions = self.dimensions or next((row.shape[0] for row in rows if row is not None), 0)
        count = self._count + len(rows)
        if dimensions == self.dimensions and self._written[0] == self._count and count <= len(self._buffer):
            buffer, scales, written = self._buffer, self._scales, self._written
        else:
            # Half as much again, so that growing row by row copies each row a bounded number of times. Most
            # never grow.
            capacity = count + count // 2 if self._count else count
            buffer, scales = np.zeros((capacity, dimensions), np.int8), np.zeros(capacity, np.float32)
            if self.dimensions:
                buffer[: self._count] = self._buffer[: self._count]
                scales[: self._count] = self._scales[: self._count]
            written = [self._count]
        _fill(buffer[self._count : count], scales[self._count : count], rows)
        written[0] = count
        return Vectors(buffer, scales, count, written)


def _fill(
    matrix: NDArray[np.int8], scales: NDArray[np.float32], rows: Sequence[NDArray[np.float32] | None]
) -> None:
    given = [(at, row) for at, row in enumerate(rows) if row is not None]
    for _, row in given:
        if row.shape != (matrix.shape[1],):
            raise ValueError(f"an index holds vectors of one length: {matrix.shape[1]}, not {row.shape}")
    for start in range(0, len(given), _BLOCK):
        block = given[start : start + _BLOCK]
        places = [at for at, _ in block]
        values = np.stack([row for _, row in block])
        scale = np.abs(values).max(axis=1) / np.float32(_PEAK)
        scales[places] = scale
        matrix[places] = np.rint(values / np.where(scale > 0, scale, np.float32(1))[:, None])
