"""When to start again what has died."""

import time
from collections.abc import Callable

_STEADY_AFTER = 5.0
_SHORTEST_PAUSE = 0.1
_LONGEST_PAUSE = 5.0


class Restarts:
    """At once after a steady run, and after pauses that double while it keeps failing.

    `failures` counts those in a row.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._started_at = clock()
        self._due_at = float("-inf")
        self.failures = 0

    def started(self) -> None:
        self._started_at = self._clock()

    def killed(self) -> None:
        """Somebody killed it while it was well, which says nothing about the next one."""
        self.failures = 0
        self._due_at = self._clock()

    def failed(self) -> None:
        now = self._clock()
        is_first = now - self._started_at > _STEADY_AFTER
        self.failures = 1 if is_first else self.failures + 1
        pause = 0.0 if is_first else min(_SHORTEST_PAUSE * 2 ** (self.failures - 1), _LONGEST_PAUSE)
        self._due_at = now + pause

    def is_due(self) -> bool:
        return self._clock() >= self._due_at
