"""A question to a set of memories."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from ibex.memory.retrieval.record import Record


@dataclass(frozen=True, slots=True)
class Beyond:
    """Memories that belong to what is searched and are not in any of its parts, as far as they are known.

    Where the parts are only candidates, a word that most of these have may still be a rare one, and the worst
    of them still be better than most.

    Parameters
    ----------
    count: how many they are.
    frequency: by term, how many of them have it at least. A term that is not here is as frequent among them
        as in the parts.
    """

    count: int = 0
    frequency: Mapping[str, int] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for, and what may be found.

    Parameters
    ----------
    vector: of the text, by the model of the records' embeddings; float32, unit norm. None searches by words.
    now: what "yesterday" is measured from, and recency.
    session_id: only memories of this session.
    where: only memories for which it is true. It is asked from the best downwards, and no more than needed.
    pinned_first: pinned memories lead, whatever the question, in the order of their scores.
    beyond: what else there is, beside which words and scores are judged.
    explains: whether hits say what each arm gave them, and which terms they match; that takes as long as the
        search itself.

    Raises ValueError when the vector holds anything but finite numbers.
    """

    text: str = field(repr=False)
    vector: NDArray[np.float32] | None = field(repr=False)
    now: datetime
    session_id: str | None = None
    where: Callable[[Record], bool] | None = None
    pinned_first: bool = False
    beyond: Beyond = Beyond()
    explains: bool = True

    def __post_init__(self) -> None:
        if self.vector is not None and not np.isfinite(self.vector).all():
            raise ValueError("the vector of a query must be finite")

    def admits(self, record: Record) -> bool:
        if self.session_id is not None and record.session_id != self.session_id:
            return False
        return self.where is None or self.where(record)
