"""What a worker does."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PeriodicJob:
    """A job that runs when a worker starts, and then every minute in one worker of all.

    It may run twice, so doing it again must do no harm.

    `name` is `noun.verb`. `timeout` is in seconds.
    """

    name: str
    run: Callable[[], Awaitable[None]]
    timeout: float = 60.0
