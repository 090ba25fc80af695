"""The limiter that stands in while Redis is away: this process's share of each limit."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from ibex.auth.limits.demand import Demand
from ibex.auth.limits.limit import Limit
from ibex.auth.limits.verdict import Verdict

_WINDOW = 60.0
_CAPACITY = 50_000


@dataclass(slots=True)
class Log:
    """What was admitted under one limit in the last 60 seconds."""

    admissions: "deque[Admission]" = field(default_factory=deque)
    total: int = 0

    def forget_until(self, moment: float) -> None:
        while self.admissions and self.admissions[0].at <= moment:
            admission = self.admissions.popleft()
            admission.is_counted = False
            self.total -= admission.amount


@dataclass(slots=True)
class Admission:
    """One admission: when, and of how much."""

    log: Log
    at: float
    amount: int
    is_counted: bool = True

    def settle(self, amount: int) -> None:
        """It was so much in the end."""
        if self.is_counted:
            self.log.total += amount - self.amount
            self.amount = amount


@dataclass(frozen=True, slots=True)
class _Standing:
    """One request under one limit: the share, what is left of it, seconds until there is enough."""

    share: Limit
    left: int
    wait: int | None

    @property
    def urgency(self) -> float:
        return float("inf") if self.wait is None else float(self.wait)

    @property
    def part_left(self) -> float:
        return self.left / self.share.most if self.share.most else 0.0


class LocalLimiter:
    """A log of admissions per limit, in memory, with each limit divided by the processes that share it.

    It remembers across outages: a Redis that comes and goes must not admit a new share each time. When there
    are too many logs, the one that was longest not asked about is given up.

    Parameters
    ----------
    leases: how many calls that go on in this process have a lease under the limit of that name.
    """

    def __init__(self, leases: Callable[[str], int], clock: Callable[[], float] = time.monotonic) -> None:
        self._leases = leases
        self._clock = clock
        self._logs: dict[str, Log] = {}

    def check(self, demand: Demand, processes: int) -> tuple[Verdict, list[Admission]]:
        """Admit under all limits or none, and what was admitted of tokens, to be settled.

        The share is rounded down, but never below one; a request that uses more tokens than the share is
        admitted when it is the only one in its minute.
        """
        now = self._clock()
        standings = [self._standing(demand, limit, max(1, processes), now) for limit in demand.under.limits]
        refusals = [standing for standing in standings if standing.left < 0]
        if refusals:
            told = max(refusals, key=lambda standing: standing.urgency)
            remaining = max(0, told.left + demand.amount(told.share))
            return Verdict(False, told.share, remaining, told.wait, is_local=True), []
        told = min(standings, key=lambda standing: standing.part_left)
        tokens = []
        for limit in demand.under.limits:
            if limit.dimension != "concurrent":
                admission = self._admit(limit, demand.amount(limit), now)
                if limit.dimension == "tokens":
                    tokens.append(admission)
        return Verdict(True, told.share, told.left, told.wait, is_local=True), tokens

    def _standing(self, demand: Demand, limit: Limit, processes: int, now: float) -> _Standing:
        amount = demand.amount(limit)
        share = max(1, limit.most // processes) if limit.most else 0
        if limit.dimension == "concurrent":
            left = share - self._leases(limit.name) - amount
            return _Standing(replace(limit, most=share), left, 1 if limit.most else None)
        log = self._logs.get(limit.name)
        if log is None:
            log = Log()
        log.forget_until(now - _WINDOW)
        if amount <= limit.most:
            share = max(share, amount)
        left = share - log.total - amount
        return _Standing(replace(limit, most=share), left, _wait(log, amount, share, now))

    def _admit(self, limit: Limit, amount: int, now: float) -> Admission:
        log = self._logs.pop(limit.name, None)
        if log is None:
            log = Log()
            if len(self._logs) >= _CAPACITY:
                del self._logs[next(iter(self._logs))]
        self._logs[limit.name] = log
        admission = Admission(log, now, amount)
        log.admissions.append(admission)
        log.total += amount
        return admission


def _wait(log: Log, amount: int, share: int, now: float) -> int | None:
    """Whole seconds until there is room for the amount, or, when there is, until more will be free."""
    if amount > share:
        return None
    needed = max(1, log.total + amount - share)
    at = now
    for admission in log.admissions:
        at = admission.at
        needed -= admission.amount
        if needed <= 0:
            break
    return min(int(at + _WINDOW - now) + 1, int(_WINDOW))
