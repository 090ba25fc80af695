"""What a load cost on both cores, and who else was there."""

import time
from dataclasses import dataclass

from benchmarks import processes
from benchmarks.gateways import Running
from benchmarks.machine import busy_seconds


@dataclass(frozen=True, slots=True)
class Bench:
    """This process, which generates the load, and the stub: they share a core."""

    core: int
    stub_pid: int

    def cpu(self) -> float:
        """Seconds of CPU of both so far."""
        stub = processes.read(self.stub_pid)
        return time.process_time() + (stub.cpu if stub is not None else 0.0)


@dataclass(frozen=True, slots=True)
class Usage:
    """Seconds so far: the clock, CPU of the gateway and its companions, what others took of either core."""

    clock: float
    own: float
    companions: float
    others_on_bench: float
    others_on_gateway: float


@dataclass(frozen=True, slots=True)
class Cost:
    """The difference of two usages: seconds of CPU, and the larger of the two cores' foreign shares."""

    own: float
    companions: float
    others_percent: float


def usage(bench: Bench, gateway: Running | None) -> Usage:
    """Take stock; without a gateway only its first and fourth fields mean something."""
    own, companions = gateway.cpu() if gateway is not None else (0.0, 0.0)
    return Usage(
        clock=time.perf_counter(),
        own=own,
        companions=companions,
        others_on_bench=busy_seconds(bench.core) - bench.cpu(),
        others_on_gateway=busy_seconds(gateway.core) - own - companions if gateway is not None else 0.0,
    )


def cost(before: Usage, after: Usage) -> Cost:
    """What happened between two usages."""
    others = max(
        after.others_on_bench - before.others_on_bench,
        after.others_on_gateway - before.others_on_gateway,
        0.0,
    )
    return Cost(
        own=after.own - before.own,
        companions=after.companions - before.companions,
        others_percent=others / (after.clock - before.clock) * 100,
    )
