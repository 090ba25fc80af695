"""The HTTP edge: from a request in a provider's dialect to an answer, and the record of both."""

from ibex.proxy.admission import Admission
from ibex.proxy.context import ContextStep
from ibex.proxy.idempotency import IdempotencyKeys
from ibex.proxy.idleness import end_idle_sessions
from ibex.proxy.keys import KeyChoice
from ibex.proxy.model_list import ModelList
from ibex.proxy.pipeline import Bounds, Pipeline
from ibex.proxy.providers import ANTHROPIC_VERSION, Upstream, build_upstreams
from ibex.proxy.providers.calling import Caller
from ibex.proxy.record import Recorder
from ibex.proxy.routing import Router
from ibex.proxy.tracing import CallTraces
from ibex.proxy.transcript import Transcript

__all__ = [
    "ANTHROPIC_VERSION",
    "Admission",
    "Bounds",
    "CallTraces",
    "Caller",
    "ContextStep",
    "IdempotencyKeys",
    "KeyChoice",
    "ModelList",
    "Pipeline",
    "Recorder",
    "Router",
    "Transcript",
    "Upstream",
    "build_upstreams",
    "end_idle_sessions",
]
