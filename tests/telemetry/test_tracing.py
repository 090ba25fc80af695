"""Spans of a request: one for it, one for each step, in the trace that its answer names."""

from collections.abc import Iterator
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from ibex.telemetry import NoTracing, Step, Trace, trace_of, tracing
from tests.fixtures import Database
from tests.operator import Operator
from tests.providers.stub import StubProvider
from tests.service import Service
from tests.telemetry.collector import Collector

CHAT = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hello"}]}
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector.running() as running:
        yield running


async def trace(
    database: Database, operator: Operator, stub: StubProvider, collector: Collector, **headers: str
) -> tuple[str, list[Span]]:
    """The trace that the answer names, and the spans that were sent by the end."""
    async with (
        Service.start(
            database.service_dsn, database.redis_url, operator, stub, otlp_endpoint=collector.url
        ) as service,
        service.http() as client,
    ):
        answer = await client.post("/v1/chat/completions", json=CHAT, headers=headers)
        assert answer.status_code == 200
    return answer.headers["x-trace-id"], collector.spans


async def test_a_request_is_a_span_with_a_child_for_each_step(
    database: Database, operator: Operator, stub_provider: StubProvider, collector: Collector
) -> None:
    trace_id, spans = await trace(database, operator, stub_provider, collector)
    root = next(span for span in spans if not span.parent_span_id)
    children = [span for span in spans if span.parent_span_id == root.span_id]
    assert root.name == "chat_completions"
    assert root.kind == Span.SPAN_KIND_SERVER
    assert {span.trace_id.hex() for span in spans} == {trace_id}
    assert [child.name for child in children] == [f"ibex.{step}" for step in Step]
    assert len(spans) == 1 + len(children)
    for span in spans:
        assert root.start_time_unix_nano <= span.start_time_unix_nano <= span.end_time_unix_nano
        assert span.end_time_unix_nano <= root.end_time_unix_nano


async def test_a_callers_trace_is_continued(
    database: Database, operator: Operator, stub_provider: StubProvider, collector: Collector
) -> None:
    trace_id, spans = await trace(database, operator, stub_provider, collector, traceparent=PARENT)
    root = next(span for span in spans if span.name == "chat_completions")
    assert trace_id == "0af7651916cd43dd8448eb211c80319c"
    assert {span.trace_id.hex() for span in spans} == {trace_id}
    assert root.parent_span_id.hex() == "b7ad6b7169203331"


async def test_a_collector_that_is_away_disturbs_nobody(
    database: Database, operator: Operator, stub_provider: StubProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    async with (
        Service.start(
            database.service_dsn,
            database.redis_url,
            operator,
            stub_provider,
            otlp_endpoint="http://127.0.0.1:1",
        ) as service,
        service.http() as client,
    ):
        assert (await client.post("/v1/chat/completions", json=CHAT)).status_code == 200


def test_without_an_endpoint_nothing_is_sent() -> None:
    assert isinstance(tracing(None), NoTracing)


@given(st.text(max_size=80))
def test_what_is_no_traceparent_starts_a_trace_of_its_own(text: str) -> None:
    request_id = uuid4()
    assert trace_of(text, request_id) == Trace(request_id.hex, None)


@pytest.mark.parametrize(
    "traceparent",
    [
        PARENT.upper(),
        PARENT.replace("0af7651916cd43dd8448eb211c80319c", "0" * 32),
        PARENT.replace("b7ad6b7169203331", "0" * 16),
        PARENT.replace("00-", "ff-", 1),
        PARENT + "-extra",
        PARENT + "\n",
        "",
    ],
)
def test_an_invalid_traceparent_is_not_continued(traceparent: str) -> None:
    request_id = UUID(int=1)
    assert trace_of(traceparent, request_id) == Trace(request_id.hex, None)
