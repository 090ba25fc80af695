"""The steps of a request, in order, and the clock that times them."""

import time
from enum import StrEnum


class Step(StrEnum):
    """One step of the request path; each has its own metric and span."""

    BODY = "body"
    AUTH = "auth"
    LIMITS = "limits"
    IDEMPOTENCY = "idempotency"
    SESSION = "session"
    ROUTE = "route"
    PROVIDER = "provider"
    STREAM = "stream"


class StepClock:
    """Times of one request, in seconds of a monotonic clock. `lap` ends the step that was under way."""

    __slots__ = ("_last", "laps", "started", "started_ns")

    def __init__(self) -> None:
        self.started_ns = time.time_ns()
        self.started = self._last = time.perf_counter()
        self.laps: list[tuple[Step, float, float]] = []

    def lap(self, step: Step) -> None:
        now = time.perf_counter()
        self.laps.append((step, self._last, now))
        self._last = now

    def elapsed(self) -> float:
        """Seconds since the request arrived."""
        return time.perf_counter() - self.started

    def elapsed_without(self, step: Step) -> float:
        """Seconds from the arrival to the end of the last lap, less those spent in one step."""
        return self._last - self.started - sum(end - begin for name, begin, end in self.laps if name is step)
