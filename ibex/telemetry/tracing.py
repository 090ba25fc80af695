"""OpenTelemetry spans, made after the answer from the times that were taken anyway."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from ibex.telemetry.steps import StepClock

Attribute = str | int | float | bool
_TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")
_NO_TRACE, _NO_SPAN = "0" * 32, "0" * 16


@dataclass(frozen=True, slots=True)
class Trace:
    """Which trace a request belongs to: ids in lower-case hexadecimal; a parent when the caller named one."""

    trace_id: str
    parent_id: str | None


class Tracing(Protocol):
    """Takes one finished request."""

    def record(
        self, name: str, clock: StepClock, trace: Trace, attributes: Mapping[str, Attribute]
    ) -> None: ...

    def close(self) -> None: ...


class NoTracing:
    """No endpoint is set: nothing is made and nothing is sent."""

    def record(self, name: str, clock: StepClock, trace: Trace, attributes: Mapping[str, Attribute]) -> None:
        return

    def close(self) -> None:
        return


def trace_of(traceparent: str | None, request_id: UUID) -> Trace:
    """The trace that a W3C `traceparent` continues; without a valid one, a trace of the request's own."""
    match = _TRACEPARENT.fullmatch(traceparent) if traceparent else None
    if match is None or match[1] == _NO_TRACE or match[2] == _NO_SPAN:
        return Trace(request_id.hex, None)
    return Trace(match[1], match[2])


class OtlpTracing:
    """Sends a span per request, with a child per step, to an OTLP endpoint over HTTP."""

    def __init__(self, endpoint: str) -> None:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.sdk.trace.id_generator import RandomIdGenerator

        class OwnTraceIds(RandomIdGenerator):
            """A request has told its trace id to the client before its span is made."""

            trace_id = 0

            def generate_trace_id(self) -> int:
                return self.trace_id

        self._ids = OwnTraceIds()
        self._provider = TracerProvider(
            resource=Resource.create({"service.name": "ibex"}), id_generator=self._ids, shutdown_on_exit=False
        )
        exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces")
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("ibex")

    def record(self, name: str, clock: StepClock, trace: Trace, attributes: Mapping[str, Attribute]) -> None:
        from opentelemetry import trace as api
        from opentelemetry.context import Context

        def at(moment: float) -> int:
            return clock.started_ns + int((moment - clock.started) * 1e9)

        parent = Context()
        if trace.parent_id is not None:
            remote = api.SpanContext(
                int(trace.trace_id, 16),
                int(trace.parent_id, 16),
                is_remote=True,
                trace_flags=api.TraceFlags(1),
            )
            parent = api.set_span_in_context(api.NonRecordingSpan(remote), parent)
        self._ids.trace_id = int(trace.trace_id, 16)
        span = self._tracer.start_span(
            name, parent, kind=api.SpanKind.SERVER, attributes=dict(attributes), start_time=clock.started_ns
        )
        inside = api.set_span_in_context(span, parent)
        for step, begin, end in clock.laps:
            self._tracer.start_span(f"ibex.{step}", inside, start_time=at(begin)).end(at(end))
        span.end(at(clock.laps[-1][2]) if clock.laps else clock.started_ns)

    def close(self) -> None:
        self._provider.shutdown()


def tracing(endpoint: str | None) -> Tracing:
    """Spans to `endpoint` (the base address of an OTLP/HTTP collector), or none when it is not set.

    For the former it needs the packages of the `otel` extra.
    """
    return NoTracing() if endpoint is None else OtlpTracing(endpoint)
