"""How the queue is doing."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class QueueState:
    """What one look at the queue tells.

    Parameters
    ----------
    waiting: jobs that are not done, those that are being done and those to be tried again included.
    oldest_seconds: for how long the one that is due for longest has been; 0 when none is.
    seen_seconds: how long ago a worker looked at it; None when none ever did.
    """

    waiting: int
    oldest_seconds: float
    seen_seconds: float | None
