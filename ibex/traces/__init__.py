"""One record of each call: shipped, stored and asked for."""

from ibex.traces.backlog import BacklogWatch
from ibex.traces.log import TraceLog
from ibex.traces.shipping import TraceShipping
from ibex.traces.stream import Backlog, TraceStream
from ibex.traces.trace import Trace

__all__ = ["Backlog", "BacklogWatch", "Trace", "TraceLog", "TraceShipping", "TraceStream"]
