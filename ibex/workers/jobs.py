"""What a worker does."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PeriodicJob:
    """A job that runs once a minute, in one worker of all; running it twice does no harm.

    `name` is `noun.verb`. `timeout` is in seconds.
    """

    name: str
    run: Callable[[], Awaitable[None]]
    timeout: float = 60.0
