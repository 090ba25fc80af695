"""Which traces are meant, in words that every engine understands."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

# Widths of what an overview is divided into, in seconds.
BUCKETS = {"minute": 60, "hour": 3_600, "day": 86_400}
Bucket = Literal["minute", "hour", "day"]


@dataclass(frozen=True, slots=True)
class Selection:
    """Traces that agree with everything that is said here; None says nothing.

    Parameters
    ----------
    statuses: the first digit of the status.
    since, until: the first is included, the second is not.
    least_ms: the least latency, in milliseconds.
    """

    agent_id: UUID | None = None
    session_id: str | None = None
    user_id: str | None = None
    model: str | None = None
    provider: str | None = None
    outcome: str | None = None
    statuses: int | None = None
    error_code: str | None = None
    rung: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    least_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a list that has the newest first; of those of one moment the one with the greatest id."""

    at: datetime
    id: UUID
