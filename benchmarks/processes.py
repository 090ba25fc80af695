"""What a tree of processes costs, read from /proc."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

TICK = 1 / os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Process:
    """One process: seconds of CPU that it and its reaped children used, bytes of memory.

    ``shared_out`` is its proportional set size: pages shared by n processes count 1/n, so that a sum over
    Postgres backends does not count the shared buffers again and again.
    """

    pid: int
    name: str
    cpu: float
    resident: int
    shared_out: int


def tree(root: int) -> list[Process]:
    """The process and all its living descendants, parents first; empty when it is gone."""
    children: dict[int, list[int]] = {}
    for pid, parent in _parents():
        children.setdefault(parent, []).append(pid)
    found = []
    pending = [root]
    while pending:
        pid = pending.pop(0)
        process = read(pid)
        if process is not None:
            found.append(process)
        pending.extend(children.get(pid, []))
    return found


def read(pid: int) -> Process | None:
    """One process, or None when it is gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    name = stat[stat.index("(") + 1 : stat.rindex(")")]
    # From the third field on (proc_pid_stat(5)): state, ppid, …; utime to cstime are fields 14 to 17, rss 24.
    fields = stat[stat.rindex(")") + 2 :].split()
    resident = int(fields[21]) * PAGE
    return Process(
        pid=pid,
        name=name,
        cpu=sum(int(ticks) for ticks in fields[11:15]) * TICK,
        resident=resident,
        shared_out=_proportional(pid) or resident,
    )


def _parents() -> Iterator[tuple[int, int]]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
            except OSError:
                continue
            yield int(entry.name), int(stat[stat.rindex(")") + 2 :].split()[1])


def _proportional(pid: int) -> int | None:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), None)
