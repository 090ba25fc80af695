"""The machine the figures were taken on, and the cores each part gets."""

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Cores:
    """One core for the stub and the load generator, one for the gateway."""

    load: int
    gateway: int

    @property
    def are_shared(self) -> bool:
        """Whether there is only one core, so that the figures say little."""
        return self.load == self.gateway


@dataclass(frozen=True, slots=True)
class Machine:
    """How the figures were taken."""

    taken_at: str
    cpu: str
    cores: int
    system: str
    python: str
    uvloop: str
    load_average: tuple[float, float, float]


def cores() -> Cores:
    """The first two cores this process may use."""
    usable = sorted(os.sched_getaffinity(0))
    return Cores(load=usable[0], gateway=usable[min(1, len(usable) - 1)])


def describe() -> Machine:
    """Describe this machine, now."""
    return Machine(
        taken_at=datetime.now(UTC).isoformat(timespec="seconds"),
        cpu=_cpu_model(),
        cores=os.cpu_count() or 1,
        system=f"{platform.system()} {'.'.join(platform.release().split('.')[:2])}",
        python=platform.python_version(),
        uvloop=version("uvloop"),
        load_average=os.getloadavg(),
    )


@contextmanager
def pinned(core: int) -> Iterator[None]:
    """Run on one core for a while; processes started meanwhile, and theirs, stay on it."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def busy_seconds(core: int) -> float:
    """Seconds this core spent on anyone's programs since boot, time stolen by the hypervisor included.

    Interrupts are left out: the gateway's own traffic over loopback causes them.
    """
    for line in Path("/proc/stat").read_text().splitlines():
        name, *ticks = line.split()
        if name == f"cpu{core}":
            # proc_stat(5): user, nice, system, idle, iowait, irq, softirq, steal.
            return sum(int(ticks[field]) for field in (0, 1, 2, 7)) / os.sysconf("SC_CLK_TCK")
    raise ValueError(f"no core {core}")


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
