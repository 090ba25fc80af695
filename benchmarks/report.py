"""The table: the median of all rounds, the best one in brackets."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.machine import Machine
from benchmarks.measurements import CONNECTIONS, Numbers

Rounds = Mapping[str, Sequence[Numbers]]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: which number, how many decimals, and which of two values is the better one."""

    label: str
    key: str
    decimals: int
    better: Callable[[Sequence[float]], float]


ROWS = (
    *(
        Row(f"requests/s, connections: {connections}", f"json_{connections}.per_second", 0, max)
        for connections in CONNECTIONS
    ),
    Row("p50 at 1 connection, ms", "json_1.p50", 2, min),
    Row("p99 at 1 connection, ms", "json_1.p99", 2, min),
    Row("added p50 at 1 connection, ms", "added.p50", 2, min),
    Row("added p99 at 1 connection, ms", "added.p99", 2, min),
    Row("p99 at half of its peak, ms", "json_half.p99", 2, min),
    Row("CPU per request at 64 connections, µs", "json_64.cpu", 0, min),
    Row("of which the gateway itself", "json_64.cpu_own", 0, min),
    Row("of which its Postgres and Valkey", "json_64.cpu_companions", 0, min),
    Row("streams/s, connections: 16", "stream_16.per_second", 0, max),
    Row("CPU per stream at 16 connections, µs", "stream_16.cpu", 0, min),
    Row("added first event at 1 connection, ms", "added.first", 2, min),
    Row("first start, s", "start.cold", 2, min),
    Row("later start, s", "start.warm", 2, min),
    Row("memory of the gateway process (RSS), MiB", "memory.own", 0, min),
    Row("memory of all its processes (PSS), MiB", "memory.tree", 0, min),
    Row("a core taken by others, at most, %", "others", 0, min),
    Row("wrong answers", "errors", 0, min),
)


def summary(rounds: Sequence[Numbers]) -> dict[str, dict[str, float]]:
    """Median and best of each row that a target has numbers for."""
    lines = {}
    for row in ROWS:
        values = [numbers[row.key] for numbers in rounds if row.key in numbers]
        if values:
            lines[row.key] = {"median": median(values), "best": row.better(values)}
    return lines


def table(rounds: Rounds) -> str:
    """A Markdown table with a column for each target."""
    summaries = {name: summary(numbers) for name, numbers in rounds.items()}
    lines = ["| median (best) | " + " | ".join(summaries) + " |", "|---" * (len(summaries) + 1) + "|"]
    for row in ROWS:
        cells = [_cell(row, lines_of.get(row.key)) for lines_of in summaries.values()]
        lines.append(f"| {row.label} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def provenance(machine: Machine, versions: Mapping[str, str], rounds: int, seconds: float) -> str:
    """How the figures were taken, in a sentence."""
    parts = [
        f"Taken {machine.taken_at} on {machine.cpu}, {machine.cores} cores, {machine.system}",
        f"Python {machine.python}, uvloop {machine.uvloop}",
        ", ".join(f"{name} {version}" for name, version in versions.items()),
        f"{rounds} interleaved rounds, {seconds:g} s a load",
        "stub and load generator on one core, the gateway on another",
        "load average at the start " + " ".join(f"{value:.2f}" for value in machine.load_average),
    ]
    return "; ".join(part for part in parts if part) + "."


def _cell(row: Row, values: Mapping[str, float] | None) -> str:
    if values is None:
        return ""
    return f"{values['median']:,.{row.decimals}f} ({values['best']:,.{row.decimals}f})"
