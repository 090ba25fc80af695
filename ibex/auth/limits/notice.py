"""What an organization is told of its limits, once."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True, order=True)
class Notice:
    """That so much of something is used up, for the first time since then.

    `since` is the beginning of the month or of the hour. `dimension` is one of a month, or `rate`.
    """

    since: datetime
    scope: str
    subject: UUID
    dimension: str
    percent: int
