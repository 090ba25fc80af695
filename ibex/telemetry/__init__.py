"""What IBEX says about itself: logs, metrics and spans."""

from ibex.telemetry.instruments import Instruments
from ibex.telemetry.logs import AccessLog
from ibex.telemetry.steps import Step, StepClock
from ibex.telemetry.tracing import NoTracing, Trace, Tracing, trace_of, tracing

__all__ = [
    "AccessLog",
    "Instruments",
    "NoTracing",
    "Step",
    "StepClock",
    "Trace",
    "Tracing",
    "trace_of",
    "tracing",
]
