"""Counters, gauges and histograms in memory that all web and job processes share.

A scrape reaches one process only, so each writes its own row of one shared array and whoever is asked adds
the rows up. Every series is declared before the processes are forked, which also bounds the labels. A
process that takes the place of a dead one goes on with its row: counters never run backwards.
"""

import math
import mmap
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SECONDS = (
    0.0001,
    0.0005,
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1,
    2.5,
    5,
    10,
    30,
    60,
    120,
)

Labels = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Family:
    kind: Literal["counter", "gauge", "histogram"]
    name: str
    help: str
    labels: Labels
    first_cell: dict[Labels, int]


class Metrics:
    """The array and the series declared in it.

    Parameters
    ----------
    processes: rows; one per web and job process.
    """

    def __init__(self, processes: int = 1) -> None:
        self._processes = processes
        self._families: list[_Family] = []
        self._width = 0
        self._cells: memoryview[float] = memoryview(b"").cast("d")
        # The row of this process; instruments write to it directly.
        self.mine: memoryview[float] = self._cells

    def counter(self, name: str, help: str, **labels: Iterable[str]) -> "Counter":  # noqa: A002
        return Counter(self, self._declare("counter", name, help, labels, 1))

    def gauge(self, name: str, help: str, **labels: Iterable[str]) -> "Gauge":  # noqa: A002
        return Gauge(self, self._declare("gauge", name, help, labels, 1))

    def sample(self, name: str, help: str) -> "Sample":  # noqa: A002
        """A gauge of what is the same for all processes."""
        return Sample(self, self._declare("gauge", name, help, {}, 1))

    def histogram(self, name: str, help: str, **labels: Iterable[str]) -> "Histogram":  # noqa: A002
        """A histogram of seconds."""
        return Histogram(self, self._declare("histogram", name, help, labels, len(SECONDS) + 2))

    def allocate(self) -> None:
        """Create the array, once all series are declared and before the first fork."""
        self._cells = memoryview(mmap.mmap(-1, max(1, self._processes * self._width) * 8)).cast("d")
        self.attach(0)

    def attach(self, process: int) -> None:
        """Write into one row from now on; its gauges start at zero."""
        self.mine = self._cells[process * self._width : (process + 1) * self._width]
        for family in self._families:
            if family.kind == "gauge":
                for cell in family.first_cell.values():
                    self.mine[cell] = 0.0

    def share(self, cell: int, value: float) -> None:
        """Write what no process adds to: the cell is in the first row, whoever writes it."""
        self._cells[cell] = value

    def total(self, cell: int) -> float:
        """The sum of a cell over all processes."""
        return sum(self._cells[row * self._width + cell] for row in range(self._processes))

    def render(self) -> bytes:
        """All series in the Prometheus text format."""
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Snapshot(self, self._families))
        return generate_latest(registry)

    def _declare(
        self,
        kind: Literal["counter", "gauge", "histogram"],
        name: str,
        help: str,  # noqa: A002
        labels: dict[str, Iterable[str]],
        cells: int,
    ) -> dict[Labels, int]:
        first_cell: dict[Labels, int] = {}
        for values in _product([list(values) for values in labels.values()]):
            first_cell[values] = self._width
            self._width += cells
        self._families.append(_Family(kind, name, help, tuple(labels), first_cell))
        return first_cell


class Counter:
    """A number that only grows, one per combination of labels."""

    def __init__(self, metrics: Metrics, cells: dict[Labels, int]) -> None:
        self._metrics, self._cells = metrics, cells

    def add(self, *labels: str, amount: float = 1.0) -> None:
        self._metrics.mine[self._cells[labels]] += amount

    def total(self, *labels: str) -> float:
        return self._metrics.total(self._cells[labels])


class Gauge(Counter):
    """A number that goes up and down; shown as the sum over the processes."""

    def set(self, *labels: str, value: float) -> None:
        self._metrics.mine[self._cells[labels]] = value


class Sample:
    """A number that any process has looked up; the last one counts. NaN while it is not known."""

    def __init__(self, metrics: Metrics, cells: dict[Labels, int]) -> None:
        self._metrics, self._cell = metrics, cells[()]

    def set(self, value: float | None) -> None:
        self._metrics.share(self._cell, math.nan if value is None else value)

    def value(self) -> float:
        return self._metrics.total(self._cell)


class Histogram:
    """A distribution of seconds."""

    def __init__(self, metrics: Metrics, cells: dict[Labels, int]) -> None:
        self._metrics, self._cells = metrics, cells

    def observe(self, *labels: str, seconds: float) -> None:
        cell, mine = self._cells[labels], self._metrics.mine
        mine[cell + bisect_left(SECONDS, seconds)] += 1.0
        mine[cell + len(SECONDS) + 1] += seconds


class _Snapshot(Collector):
    def __init__(self, metrics: Metrics, families: Sequence[_Family]) -> None:
        self._metrics, self._families = metrics, families

    def collect(self) -> Iterator[Metric]:
        for family in self._families:
            if family.kind == "counter":
                counter = CounterMetricFamily(family.name, family.help, labels=family.labels)
                for labels, cell in family.first_cell.items():
                    counter.add_metric(labels, self._metrics.total(cell))
                yield counter
            elif family.kind == "gauge":
                gauge = GaugeMetricFamily(family.name, family.help, labels=family.labels)
                for labels, cell in family.first_cell.items():
                    gauge.add_metric(labels, self._metrics.total(cell))
                yield gauge
            else:
                yield self._histogram(family)

    def _histogram(self, family: _Family) -> Metric:
        histogram = HistogramMetricFamily(family.name, family.help, labels=family.labels)
        for labels, cell in family.first_cell.items():
            count, buckets = 0.0, []
            for index, bound in enumerate((*(str(b) for b in SECONDS), "+Inf")):
                count += self._metrics.total(cell + index)
                buckets.append((bound, count))
            histogram.add_metric(labels, buckets, self._metrics.total(cell + len(SECONDS) + 1))
        return histogram


def _product(values: list[list[str]]) -> list[Labels]:
    combinations: list[Labels] = [()]
    for choices in values:
        combinations = [(*before, choice) for before in combinations for choice in choices]
    return combinations
