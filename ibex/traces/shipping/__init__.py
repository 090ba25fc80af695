"""From the stream to the databases."""

from ibex.traces.shipping.shipping import TraceShipping

__all__ = ["TraceShipping"]
