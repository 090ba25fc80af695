"""The limiter that stands in while Redis is away: this process's share of each limit."""

import time
from collections import deque
from collections.abc import Callable, Sequence
from uuid import UUID

from ibex.auth.limits.verdict import RateLimit, Verdict

_WINDOW = 60.0
_CAPACITY = 50_000


class LocalLimiter:
    """A sliding-window log per scope, in memory, with each limit divided by the processes that share it.

    It remembers across outages: a Redis that comes and goes must not admit a new share each time.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._admissions: dict[UUID, deque[float]] = {}

    def check(self, limits: Sequence[RateLimit], processes: int) -> Verdict:
        """Admit under all limits or none. The share is rounded down, but never below one per minute."""
        now = self._clock()
        tightest: Verdict | None = None
        logs = [self._log(limit.id, now) for limit in limits]
        for limit, log in zip(limits, logs, strict=True):
            share = max(1, limit.per_minute // max(1, processes))
            # More processes than before make the share smaller than what was admitted already.
            remaining = max(0, share - len(log))
            if tightest is None or remaining < tightest.remaining:
                reset = min(int((log[0] if log else now) + _WINDOW - now) + 1, int(_WINDOW))
                tightest = Verdict(
                    admitted=remaining > 0,
                    limit=RateLimit(limit.scope, limit.id, share),
                    remaining=remaining,
                    reset=reset,
                    is_local=True,
                )
        if tightest is None:
            raise ValueError("a request is under one limit at least")
        if not tightest.admitted:
            return tightest
        for log in logs:
            log.append(now)
        return Verdict(True, tightest.limit, tightest.remaining - 1, tightest.reset, is_local=True)

    def _log(self, key: UUID, now: float) -> deque[float]:
        log = self._admissions.get(key)
        if log is None:
            if len(self._admissions) >= _CAPACITY:
                del self._admissions[next(iter(self._admissions))]
            log = self._admissions[key] = deque()
        while log and log[0] <= now - _WINDOW:
            log.popleft()
        return log
