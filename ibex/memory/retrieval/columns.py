"""What ranking needs of every memory, as arrays."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ibex.memory.retrieval.half_life import half_life
from ibex.memory.retrieval.record import Record
from ibex.memory.retrieval.tokenizer import Terms


@dataclass(frozen=True, slots=True)
class Columns:
    """Arrays of one length, a place per slot; float64 where nothing else is said.

    Parameters
    ----------
    length: number of terms.
    stated: number of distinct terms outside questions.
    speaker: int64; the speaker's number, -1 when unknown.
    observed: seconds since the epoch.
    half_life: of recency, in seconds.
    pinned: bool.
    embedded: bool; whether there is a vector.
    """

    length: NDArray[np.float64]
    stated: NDArray[np.float64]
    speaker: NDArray[np.int64]
    observed: NDArray[np.float64]
    half_life: NDArray[np.float64]
    usefulness: NDArray[np.float64]
    confidence: NDArray[np.float64]
    uses: NDArray[np.float64]
    pinned: NDArray[np.bool_]
    embedded: NDArray[np.bool_]

    @classmethod
    def of(cls, records: Sequence[Record], terms: Sequence[Terms], speakers: Sequence[int]) -> Self:
        return cls(
            length=np.array([each.length for each in terms], np.float64),
            stated=np.array([each.stated for each in terms], np.float64),
            speaker=np.array(speakers, np.int64),
            observed=np.array([record.observed_at.timestamp() for record in records], np.float64),
            half_life=np.array([half_life(record.kind) for record in records], np.float64),
            usefulness=np.array([record.usefulness for record in records], np.float64),
            confidence=np.array([record.confidence for record in records], np.float64),
            uses=np.array([record.uses for record in records], np.float64),
            pinned=np.array([record.pinned for record in records], np.bool_),
            embedded=np.array([record.embedding is not None for record in records], np.bool_),
        )

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        return cls(*(np.concatenate(arrays) for arrays in zip(*map(_arrays, parts), strict=True)))

    def taken(self, slots: NDArray[np.int64]) -> Self:
        """The rows of these slots, in this order."""
        return type(self)(*(array[slots] for array in _arrays(self)))


def _arrays(columns: Columns) -> list[NDArray[Any]]:
    return [getattr(columns, field.name) for field in fields(Columns)]
