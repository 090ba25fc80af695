"""The steps of a request, in order, and the clock that times them."""

import time
from enum import StrEnum


class Step(StrEnum):
    """One step of the request path; each has its own metric and span."""

    AUTH = "auth"
    BODY = "body"
    PARSE = "parse"
    LIMITS = "limits"
    IDEMPOTENCY = "idempotency"
    SESSION = "session"
    CONTEXT = "context"
    ROUTE = "route"
    PROVIDER = "provider"
    STREAM = "stream"


# In these a request waits for its client or for a provider.
_WAITS = (Step.BODY, Step.PROVIDER)


class StepClock:
    """Times of one request, in seconds of a monotonic clock. A step lasts until the next one is entered.

    `laps` are the steps that have ended, each with its begin and end.
    """

    __slots__ = ("_since", "_step", "laps", "started", "started_ns")

    def __init__(self) -> None:
        self.started_ns = time.time_ns()
        self.started = self._since = time.perf_counter()
        self._step: Step | None = None
        self.laps: list[tuple[Step, float, float]] = []

    def enter(self, step: Step | None) -> None:
        """End the step that is under way and begin another."""
        now = time.perf_counter()
        if self._step is not None:
            self.laps.append((self._step, self._since, now))
        self._step, self._since = step, now

    def stop(self) -> None:
        """End the step that is under way: the last one, or the one that failed."""
        self.enter(None)

    def elapsed(self) -> float:
        """Seconds since the request arrived."""
        return time.perf_counter() - self.started

    def overhead(self) -> float:
        """Seconds since the request arrived, less those spent waiting for its client or for a provider."""
        now = time.perf_counter()
        waited = sum(end - begin for step, begin, end in self.laps if step in _WAITS)
        if self._step in _WAITS:
            waited += now - self._since
        return now - self.started - waited
