"""A job that is given up, and who takes it then."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from uuid import UUID


@dataclass(frozen=True, slots=True)
class GivenUp:
    """A job that nobody tries any more.

    Parameters
    ----------
    payload: JSON as it was left in the queue; None when it cannot be read.
    keys: the names of what is in it.
    error: the type of what went wrong.
    """

    org_id: UUID
    name: str
    job_id: str
    payload: bytes | None = field(repr=False)
    keys: tuple[str, ...]
    tries: int
    error: str
    first_failed_at: datetime
    died_at: datetime


class DeadLetterSink(Protocol):
    """Where jobs that were given up go."""

    async def add(self, job: GivenUp) -> bool:
        """Keep it, once, however often it is given up; False when its organization is gone.

        Whatever it raises, the job stays in the queue.
        """
        ...
