"""Traces as people ask for them: one by one, in lists, in figures, and all at once."""

from ibex.traces.reading.service import TraceReading

__all__ = ["TraceReading"]
