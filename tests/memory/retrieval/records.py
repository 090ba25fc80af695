"""Memories to search in."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from ibex.memory.retrieval import Record

START = datetime(2024, 3, 1, 9, tzinfo=UTC)
NOW = START + timedelta(days=30)
DIMENSIONS = 8


def record(
    number: int,
    text: str,
    *,
    revision: int | None = None,
    session: str | None = None,
    speaker: str | None = None,
    at: datetime | None = None,
    kind: str = "factual",
    confidence: float = 1.0,
    pinned: bool = False,
    usefulness: float = 0.5,
    uses: int = 0,
    vector: Sequence[float] | NDArray[np.float32] | None = None,
) -> Record:
    return Record(
        id=UUID(int=number),
        revision=number if revision is None else revision,
        text=text,
        session_id=session,
        speaker=speaker,
        observed_at=at or START,
        kind=kind,
        confidence=confidence,
        pinned=pinned,
        usefulness=usefulness,
        uses=uses,
        tags=frozenset(),
        embedding=None if vector is None else unit(vector),
    )


def unit(vector: Sequence[float] | NDArray[np.float32]) -> NDArray[np.float32]:
    array = np.array(vector, np.float32)
    scaled: NDArray[np.float32] = array / np.linalg.norm(array)
    return scaled


def direction(number: int) -> NDArray[np.float32]:
    """A vector at right angles to those of the other numbers below `DIMENSIONS`."""
    axis = np.zeros(DIMENSIONS, np.float32)
    axis[number] = 1
    return axis


WORDS = ["kayak", "violin", "tax", "garden", "Lisbon", "cheese", "the", "what?", "Ana:", "🙂", "車庫", "8"]
texts = st.lists(st.sampled_from(WORDS), max_size=8).map(" ".join)
vectors = st.integers(0, 2**32 - 1).map(
    lambda seed: unit(np.random.default_rng(seed).normal(size=DIMENSIONS).astype(np.float32))
)


def records(least: int = 0, most: int = 12) -> st.SearchStrategy[list[Record]]:
    """Memories with ids of their own, among them some that only their ids tell apart."""
    one = st.builds(
        record,
        st.integers(1, 40),
        texts,
        session=st.sampled_from([None, "one", "two"]),
        speaker=st.sampled_from([None, "Ana", "Bo Lind"]),
        at=st.integers(0, 5).map(lambda days: START + timedelta(days=days)),
        kind=st.sampled_from(["factual", "episodic", "of a new kind"]),
        confidence=st.sampled_from([0.5, 1.0]),
        pinned=st.booleans(),
        usefulness=st.sampled_from([0.2, 0.5]),
        uses=st.integers(0, 9),
        vector=st.none() | vectors,
    )
    return st.lists(one, min_size=least, max_size=most, unique_by=lambda each: each.id)
