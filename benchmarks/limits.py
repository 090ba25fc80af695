"""What a check of limits costs, and whether it is exact: 64 callers at once, on a Valkey of its own.

python -m benchmarks.limits
"""

import argparse
import asyncio
import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import uvloop

from ibex.auth import LimitSet, RateLimiter
from ibex.auth.limits import Limit
from ibex.embedded import ValkeyServer
from ibex.ids import uuid7
from ibex.storage import connect

CALLERS = 64
# Two thousand checks a second are what one core of the proxy asks for.
PER_SECOND = 2_000
OUT_OF_REACH = 100_000_000
EXACT = 1_000
ASKED_BY_EACH = 50


@dataclass(frozen=True, slots=True)
class LimitFigures:
    """Latencies in milliseconds, at the proxy's pace and flat out; and how much of a limit was admitted."""

    callers: int
    p50: float
    p95: float
    flat_out_per_second: float
    flat_out_p50: float
    flat_out_p95: float
    asked: int
    limit: int
    admitted: int


async def measure(redis_url: str, seconds: float = 3.0) -> LimitFigures:
    """Check three limits, as a call of an agent does, with 64 callers at once."""
    redis = connect(redis_url, timeout=2.0)
    limiter = RateLimiter(
        redis,
        process_id="benchmark",
        timeout=2.0,
        on_fallback=lambda org_id: None,
        on_restore=lambda org_id: None,
    )
    limiter.start()
    try:
        await _latencies(limiter, 0.5, pause=0.0)
        paced = await _latencies(limiter, seconds, pause=CALLERS / PER_SECOND)
        flat_out = await _latencies(limiter, seconds, pause=0.0)
        admitted = await _admitted(limiter)
    finally:
        await limiter.stop()
        await redis.aclose()
    return LimitFigures(
        callers=CALLERS,
        p50=_percentile(paced, 50),
        p95=_percentile(paced, 95),
        flat_out_per_second=round(len(flat_out) / seconds),
        flat_out_p50=_percentile(flat_out, 50),
        flat_out_p95=_percentile(flat_out, 95),
        asked=CALLERS * ASKED_BY_EACH,
        limit=EXACT,
        admitted=admitted,
    )


async def _latencies(limiter: RateLimiter, seconds: float, *, pause: float) -> list[float]:
    """Seconds that each check took; callers begin at different times and pause between two checks."""
    org_id, under = uuid7(), _limits(OUT_OF_REACH)
    taken: list[float] = []
    until = time.perf_counter() + seconds

    async def call(number: int) -> None:
        await asyncio.sleep(pause * number / CALLERS)
        while (started := time.perf_counter()) < until:
            await limiter.check(org_id, under)
            taken.append(time.perf_counter() - started)
            if pause:
                await asyncio.sleep(max(0.0, pause - taken[-1]))

    await asyncio.gather(*(call(number) for number in range(CALLERS)))
    return taken


async def _admitted(limiter: RateLimiter) -> int:
    org_id, under = uuid7(), _limits(EXACT)

    async def call() -> int:
        return sum([(await limiter.check(org_id, under))[0].admitted for _ in range(ASKED_BY_EACH)])

    return sum(await asyncio.gather(*(call() for _ in range(CALLERS))))


def _limits(organization: int) -> LimitSet:
    return LimitSet.of(
        (
            Limit("token", "requests", str(uuid7()), OUT_OF_REACH),
            Limit("agent", "requests", str(uuid7()), OUT_OF_REACH),
            Limit("organization", "requests", str(uuid7()), organization),
        )
    )


def _percentile(seconds: Sequence[float], percent: int) -> float:
    return round(sorted(seconds)[len(seconds) * percent // 100] * 1e3, 3)


def run(seconds: float = 3.0) -> LimitFigures:
    """Measure on an embedded Valkey, which is started for it."""
    with tempfile.TemporaryDirectory(prefix="ibex-benchmark-") as directory:
        # Valkey started as root runs as another user, who must be able to come by.
        Path(directory).chmod(0o755)
        server = ValkeyServer(Path(directory) / "valkey", report=lambda sentence: None)
        try:
            server.launch()
            server.wait_ready()
            return uvloop.run(measure(server.url, seconds))
        finally:
            server.stop()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.limits", description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0, help="length of each load")
    print(json.dumps(asdict(run(parser.parse_args().seconds)), indent=2))


if __name__ == "__main__":
    main()
