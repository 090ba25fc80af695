"""The limiter's script on a real server, its clock in the hands of the test."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

import orjson
from redis import Redis

_SCRIPT = resources.files("ibex.auth.limits").joinpath("limits.lua").read_text("utf-8")
_TIME = "tonumber(redis.call('TIME')[1])"
WINDOW = 60

# The name of a limit, how much it allows, and how much is asked: a number, or the name of a lease.
Part = tuple[str, int] | tuple[str, int, int | str]


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
        self._script = redis.register_script(_SCRIPT.replace(_TIME, "tonumber(ARGV[#ARGV])"))

    def check(self, now: int, *limits: Part) -> Reply:
        return self.check_all(now, [limits])[0]

    def check_all(self, now: int, requests: Sequence[tuple[Part, ...]]) -> list[Reply]:
        return self._run(now, requests=requests)

    def settle(self, now: int, name: str, second: int, difference: int) -> None:
        """So many more tokens were used than were reserved in that second."""
        self._run(now, settled=[(name, second, difference)])

    def release(self, now: int, name: str, lease: str) -> None:
        self._run(now, released=[(name, lease)])

    def hold(self, now: int, name: str, lease: str) -> None:
        """Renew a lease."""
        self._run(now, held=[(name, lease)])

    def _run(
        self,
        now: int,
        requests: Sequence[tuple[Part, ...]] = (),
        settled: Sequence[tuple[str, int, int]] = (),
        released: Sequence[tuple[str, str]] = (),
        held: Sequence[tuple[str, str]] = (),
    ) -> list[Reply]:
        keys: dict[str, int] = {}

        def position(name: str) -> int:
            return keys.setdefault(f"ibex:{{o}}:{name}", len(keys) + 1)

        asked = [
            [(position(part[0]), part[1], part[2] if len(part) == 3 else 1) for part in limits]
            for limits in requests
        ]
        lists = [[(position(name), *rest) for name, *rest in each] for each in (settled, released, held)]
        message = orjson.dumps([asked, *lists])
        reply: Any = self._script(keys=list(keys), args=[message, now])
        assert reply[0] == now
        return [Reply(bool(admitted), *rest) for admitted, *rest in reply[1:]]


@dataclass(slots=True)
class Model:
    """What the script is to do, in the plainest way: every admission is kept, with its second."""

    admissions: dict[str, list[int]] = field(default_factory=dict)

    def check(self, now: int, *limits: tuple[str, int]) -> Reply:
        counted = [[s for s in self.admissions.get(name, []) if s >= now - WINDOW] for name, _ in limits]
        remaining = [limit - len(seconds) for (_, limit), seconds in zip(limits, counted, strict=True)]
        if min(remaining) <= 0:
            # So many must go before there is room for one more.
            waits = [
                min(seconds[-left] + WINDOW + 1 - now, WINDOW) if left <= 0 else -1
                for left, seconds in zip(remaining, ([*each, now] for each in counted), strict=True)
            ]
            return Reply(False, waits.index(max(waits)), 0, max(waits))
        for name, _ in limits:
            self.admissions.setdefault(name, []).append(now)
        shares = [(left - 1) / limit for (_, limit), left in zip(limits, remaining, strict=True)]
        tightest = shares.index(min(shares))
        oldest = min([*counted[tightest], now])
        return Reply(True, tightest, remaining[tightest] - 1, min(oldest + WINDOW + 1 - now, WINDOW))
