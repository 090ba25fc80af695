"""One round against one target: a fixed sequence of loads, as a flat table of numbers."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import uvloop

from benchmarks.gateways import Running
from benchmarks.load import Load, Result, Target, run
from benchmarks.usage import Bench, cost, usage

CONNECTIONS = (1, 16, 64)
STREAM_CONNECTIONS = (1, 16)
STEADY_CONNECTIONS = 64
# Seconds after a load in which work put off by the gateway (batched writes) still counts as its cost.
SETTLE = 1.0
MEBIBYTE = 1 << 20

Numbers = dict[str, float]


class LoadFailedError(RuntimeError):
    """A target gave wrong answers only."""


@dataclass(frozen=True, slots=True)
class Meter:
    """Measures a target; ``gateway`` is None for the stub itself."""

    target: Target
    seconds: float
    bench: Bench
    gateway: Running | None
    say: Callable[[str], None]

    def round(self) -> Numbers:
        """All loads, one after another; raises LoadFailedError when one got no right answer at all."""
        numbers: Numbers = {}
        self._run(Load(4, min(self.seconds, 2.0)))
        self._run(Load(4, min(self.seconds, 2.0), stream=True))
        for connections in CONNECTIONS:
            numbers |= self._measure(f"json_{connections}", Load(connections, self.seconds))
        if self.gateway is not None:
            half = numbers[f"json_{CONNECTIONS[-1]}.per_second"] / 2
            numbers |= self._measure("json_half", Load(STEADY_CONNECTIONS, self.seconds, rate=half))
        for connections in STREAM_CONNECTIONS:
            numbers |= self._measure(f"stream_{connections}", Load(connections, self.seconds, stream=True))
        if self.gateway is not None:
            own, tree = self.gateway.memory()
            numbers |= {"memory.own": own / MEBIBYTE, "memory.tree": tree / MEBIBYTE}
            numbers["start.warm"] = self.gateway.start_seconds
        wrong = sum(value for key, value in numbers.items() if key.endswith(".errors"))
        others = max(value for key, value in numbers.items() if key.endswith(".others"))
        return numbers | {"errors": wrong, "others": others}

    def _measure(self, name: str, load: Load) -> Numbers:
        before = usage(self.bench, self.gateway)
        result = self._run(load)
        self.say(f"{name}: {result.per_second}/s, p50 {result.p50} ms, p99 {result.p99} ms")
        numbers = {
            "per_second": result.per_second,
            "p50": result.p50,
            "p95": result.p95,
            "p99": result.p99,
            "errors": float(result.errors),
        }
        if load.stream:
            numbers |= {"first_p50": result.first_p50, "first_p99": result.first_p99}
        time.sleep(SETTLE)
        spent = cost(before, usage(self.bench, self.gateway))
        numbers["others"] = spent.others_percent
        if self.gateway is not None:
            own, companions = spent.own / result.count * 1e6, spent.companions / result.count * 1e6
            numbers |= {"cpu": own + companions, "cpu_own": own, "cpu_companions": companions}
        return {f"{name}.{key}": value for key, value in numbers.items()}

    def _run(self, load: Load) -> Result:
        result = uvloop.run(run(self.target, load))
        if result.errors:
            self.say(f"{result.errors} wrong answers, such as: {result.error_sample}")
        if result.count == 0:
            raise LoadFailedError(f"{self.target.url}: {result.error_sample}")
        return result


def add_overhead(numbers: Numbers, direct: Numbers) -> Numbers:
    """What the gateway adds to the stub's own times, both taken in the same round."""
    added = {
        f"added.{name}": numbers[key] - direct[key]
        for name, key in (("p50", "json_1.p50"), ("p99", "json_1.p99"), ("first", "stream_1.first_p50"))
    }
    return numbers | added
