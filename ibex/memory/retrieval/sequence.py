"""The order of the memories of a partition: sessions, and the turns within each."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

# What was said before a turn is what it answers, so it counts in full, what follows counts half, and each
# further step halves it again. Wider shapes change recall@10 on LoCoMo by less than half a point.
NEIGHBOURS = {-2: 0.5, -1: 1.0, 0: 1.0, 1: 0.5, 2: 0.25}


@dataclass(frozen=True, slots=True)
class Sequence:
    """Slots in the order of their turns, session after session.

    Parameters
    ----------
    slots: int64, shape (n,); the slot at each position.
    position: int64, shape (slots ever used,); the position of each slot, -1 for one that is not in use.
    session: int64, shape (n,); the number of the session at each position.
    starts: int64, shape (sessions,); the position at which each session starts.
    """

    slots: NDArray[np.int64]
    position: NDArray[np.int64]
    session: NDArray[np.int64]
    starts: NDArray[np.int64]

    @classmethod
    def of(cls, sessions: Iterable[list[int]], used: int) -> Self:
        sizes = np.array([len(session) for session in sessions], np.int64)
        slots = np.fromiter((slot for session in sessions for slot in session), np.int64, int(sizes.sum()))
        position = np.full(used, -1, np.int64)
        position[slots] = np.arange(len(slots))
        return cls(slots, position, np.repeat(np.arange(len(sizes)), sizes), np.cumsum(sizes) - sizes)

    def with_neighbours(self, values: NDArray[Any]) -> NDArray[Any]:
        """Each position's value plus its neighbours' by weight; over the last axis, in order of position."""
        total: NDArray[Any] = values * values.dtype.type(NEIGHBOURS[0])
        for distance in (1, 2):
            together = self.session[distance:] == self.session[:-distance]
            before, after = values[..., :-distance] * together, values[..., distance:] * together
            total[..., distance:] += before * values.dtype.type(NEIGHBOURS[-distance])
            total[..., :-distance] += after * values.dtype.type(NEIGHBOURS[distance])
        return total

    def neighbours(self) -> NDArray[np.int64]:
        """The slots around each position, -1 where the session ends; shape (neighbours, n)."""
        around = np.full((len(NEIGHBOURS), len(self.slots)), -1, np.int64)
        for row, offset in zip(around, NEIGHBOURS, strict=True):
            here, there = slice(max(0, -offset), len(row) - max(0, offset)), slice(max(0, offset), None)
            other = self.slots[there][: max(0, len(row) - abs(offset))]
            same = self.session[here] == self.session[there][: len(other)]
            row[here] = np.where(same, other, -1)
        return around

    def by_session(self, values: NDArray[Any]) -> NDArray[Any]:
        """The sum over each session, over the last axis; shape (..., sessions)."""
        summed: NDArray[Any] = np.add.reduceat(values, self.starts, axis=-1)
        return summed
