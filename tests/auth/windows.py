"""The limiter's script on a real server, its clock in the hands of the test."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

from redis import Redis

_SCRIPT = resources.files("ibex.auth.limits").joinpath("sliding_window.lua").read_text("utf-8")
_TIME = "tonumber(redis.call('TIME')[1])"
WINDOW = 60


@dataclass(frozen=True, slots=True)
class Reply:
    admitted: bool
    tightest: int
    remaining: int
    reset: int


class SlidingWindows:
    """Runs the script as it is, but for the one call that reads the server's clock."""

    def __init__(self, redis: "Redis") -> None:
        assert _SCRIPT.count(_TIME) == 1
        self._redis = redis
        self._script = redis.register_script(_SCRIPT.replace(_TIME, "tonumber(ARGV[#ARGV])"))

    def check(self, now: int, *limits: tuple[str, int]) -> Reply:
        return self.check_all(now, [limits])[0]

    def check_all(self, now: int, requests: Sequence[tuple[tuple[str, int], ...]]) -> list[Reply]:
        keys = [f"ibex:{{o}}:{name}" for limits in requests for name, _ in limits]
        numbers = [number for limits in requests for _, number in limits]
        reply: Any = self._script(keys=keys, args=[len(requests[0]), *numbers, now])
        return [Reply(bool(admitted), *rest) for admitted, *rest in reply]


@dataclass(slots=True)
class Model:
    """What the script is to do, in the plainest way: every admission is kept, with its second."""

    admissions: dict[str, list[int]] = field(default_factory=dict)

    def check(self, now: int, *limits: tuple[str, int]) -> Reply:
        counted = [[s for s in self.admissions.get(name, []) if s >= now - WINDOW] for name, _ in limits]
        remaining = [limit - len(seconds) for (_, limit), seconds in zip(limits, counted, strict=True)]
        tightest = remaining.index(min(remaining))
        admitted = remaining[tightest] > 0
        if admitted:
            for name, _ in limits:
                self.admissions.setdefault(name, []).append(now)
        oldest = min([*counted[tightest], now])
        return Reply(
            admitted, tightest, max(remaining[tightest] - admitted, 0), min(oldest + WINDOW + 1 - now, WINDOW)
        )
