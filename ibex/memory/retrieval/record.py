"""What retrieval knows of one memory."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Record:
    """One live memory of a partition.

    Parameters
    ----------
    revision: the partition's revision at which it became what it is; within a session memories follow each
        other by `observed_at`, then by this.
    speaker: who said it, when that is known apart from the text.
    usefulness: mean of the Beta posterior of feedback, between 0 and 1.
    uses: how often it was given to an agent.
    embedding: of the text; float32, shape (dimensions,), unit norm. None until it has been embedded.
    """

    id: UUID
    revision: int
    text: str = field(repr=False)
    session_id: str | None
    speaker: str | None
    observed_at: datetime
    kind: str
    confidence: float
    pinned: bool
    usefulness: float
    uses: int
    tags: frozenset[str]
    embedding: NDArray[np.float32] | None = field(repr=False)

    def without_vector(self) -> "Record":
        return self if self.embedding is None else replace(self, embedding=None)
