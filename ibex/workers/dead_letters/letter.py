"""A job that was given up, as an organization is shown it."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """What is known of it, without what is in its payload.

    Parameters
    ----------
    keys: the names of what is in the payload.
    size: bytes of the payload; None when it could not be read.
    error: the type of what went wrong last. `UnknownJob`: no worker knows it; `WorkerDied`: its worker died,
        again and again; `UnreadablePayload`.
    """

    id: UUID
    name: str
    job_id: str
    keys: list[str]
    size: int | None
    tries: int
    error: str
    first_failed_at: datetime
    died_at: datetime


@dataclass(frozen=True, slots=True)
class Removed:
    """A dead letter that was taken out, with what is to be put into the queue."""

    name: str
    job_id: str
    payload: bytes | None
