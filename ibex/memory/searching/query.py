"""What is searched for, and what may be found."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from ibex.memory.memory import Kind

MOST_RESULTS = 1_000


@dataclass(frozen=True, slots=True)
class Filters:
    """Conditions that every result meets; what is left out does not matter.

    Parameters
    ----------
    kinds: any of these.
    tags_any, tags_all: has at least one of the former, and each of the latter.
    labels: has at least one of these.
    session_id: was said in this session.
    observed_from, observed_until: was observed at or after the former, and before the latter.
    min_confidence: between 0 and 1.
    """

    kinds: Sequence[Kind] = ()
    tags_any: Sequence[str] = ()
    tags_all: Sequence[str] = ()
    labels: Sequence[str] = ()
    session_id: str | None = None
    observed_from: datetime | None = None
    observed_until: datetime | None = None
    min_confidence: float | None = None
    pinned: bool | None = None


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """A question to the memories of a scope.

    Parameters
    ----------
    limit: most results, 1 to `MOST_RESULTS`.
    as_of: search what was known and held at that time, not what holds now.
    pinned_first: pinned memories lead, whatever the question.
    patience: seconds to wait for the vector of the question; None is as long as the settings say.

    Raises ValueError when the limit is out of bounds.
    """

    text: str = field(repr=False)
    limit: int = 10
    filters: Filters = Filters()
    as_of: datetime | None = None
    explain: bool = False
    pinned_first: bool = False
    patience: float | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.limit <= MOST_RESULTS:
            raise ValueError(f"between 1 and {MOST_RESULTS} results can be asked for")
