"""Where traces are kept: one way to ask, and two engines that answer."""

from ibex.traces.store.figures import Cost, Expired, MemoryUse, Span, Spread, StepTime
from ibex.traces.store.interface import TraceStore
from ibex.traces.store.questions import BUCKETS, Bucket, Position, Selection
from ibex.traces.store.repository import ClickHouseTraces, PostgresTraces
from ibex.traces.store.retention import expire_traces

__all__ = [
    "BUCKETS",
    "Bucket",
    "ClickHouseTraces",
    "Cost",
    "Expired",
    "MemoryUse",
    "Position",
    "PostgresTraces",
    "Selection",
    "Span",
    "Spread",
    "StepTime",
    "TraceStore",
    "expire_traces",
]
