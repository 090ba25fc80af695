"""What is compared."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from ibex.memory.time import Interval


@dataclass(frozen=True, slots=True)
class Statement:
    """A text, when it was observed, and since and until when it holds.

    Parameters
    ----------
    validity: what is stated or was decided; open where nothing is.
    kind: of the memory; one that is "episodic" is kept as it was said.
    speaker: who says "I", when that is known apart from the text; "user" is the end user.
    """

    text: str = field(repr=False)
    observed_at: datetime
    validity: Interval = field(default_factory=Interval)
    kind: str = "factual"
    speaker: str | None = None

    @property
    def holds(self) -> Interval:
        """When it holds: where no beginning is stated, from when it was observed."""
        start, end = self.validity.start, self.validity.end
        if start is None and (end is None or self.observed_at < end):
            start = self.observed_at
        return Interval(start, end)


@dataclass(frozen=True, slots=True)
class Near:
    """A statement of the same scope that resembles a new one.

    Parameters
    ----------
    cosine: of the embeddings, -1 to 1; None when one of them is not embedded.
    """

    id: UUID
    statement: Statement
    cosine: float | None
