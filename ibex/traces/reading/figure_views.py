"""What is shown of many traces."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from ibex.traces.reading.views import AGENT_ID, dollars
from ibex.traces.store import Cost, MemoryUse, Span, Spread, StepTime

_SPREAD: dict[str, JsonValue] = {"p50": 812.4, "p95": 2104.0, "p99": 3310.9}
_COUNTED: dict[str, JsonValue] = {
    "calls": 1240,
    "errors": 3,
    "input_tokens": 1480000,
    "cached_tokens": 1200000,
    "output_tokens": 119000,
    "cost_usd": 0.2034,
    "unpriced": 0,
    "latency_ms": _SPREAD,
}
_COST: dict[str, JsonValue] = {
    "agent_id": AGENT_ID,
    "provider": "openai",
    "model": "gpt-4o-mini",
    **{name: value for name, value in _COUNTED.items() if name not in ("errors", "latency_ms")},
}
_UNPRICED = "Calls without a known cost, which `cost_usd` leaves out."


class SpreadView(BaseModel):
    """Percentiles in milliseconds; null when there is nothing to take them of."""

    p50: float | None
    p95: float | None
    p99: float | None

    @classmethod
    def of(cls, spread: Spread) -> Self:
        return cls(p50=spread.p50, p95=spread.p95, p99=spread.p99)


class TotalView(BaseModel):
    """What some calls come to."""

    calls: int
    errors: int = Field(description="Calls that failed, or whose answer broke off.")
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    cost_usd: float
    unpriced: int = Field(description=_UNPRICED)
    latency_ms: SpreadView

    @classmethod
    def of(cls, span: Span) -> Self:
        return cls.model_validate(_counted(span))


class SpanView(TotalView):
    """What the calls of some time come to."""

    begins: datetime

    @classmethod
    def of(cls, span: Span) -> Self:
        return cls.model_validate({**_counted(span), "begins": span.begins})


class OverviewView(BaseModel):
    """Calls, errors, tokens, cost and latency."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"total": _COUNTED, "spans": [{**_COUNTED, "begins": "2030-01-31T12:00:00Z"}]}]
        }
    )

    total: TotalView
    spans: list[SpanView] = Field(description="By time, the oldest first; those without a call are left out.")

    @classmethod
    def of(cls, total: Span, spans: Sequence[Span]) -> Self:
        return cls(total=TotalView.of(total), spans=[SpanView.of(span) for span in spans])


class StepTimeView(BaseModel):
    """How long one step took."""

    step: str = Field(description="A step of the pipeline, or `overhead`, `first_byte` or `total`.")
    calls: int = Field(description="Those that reached it.")
    time_ms: SpreadView

    @classmethod
    def of(cls, step: StepTime) -> Self:
        return cls(step=step.step, calls=step.calls, time_ms=SpreadView.of(step.time))


class LatencyView(BaseModel):
    """Where the time goes."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"steps": [{"step": "context", "calls": 1240, "time_ms": _SPREAD}]}]}
    )

    steps: list[StepTimeView]


class CostView(BaseModel):
    """What an agent has spent on one model."""

    agent_id: UUID
    provider: str | None
    model: str = Field(description="As it was asked for.")
    calls: int
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    cost_usd: float
    unpriced: int = Field(description=_UNPRICED)

    @classmethod
    def of(cls, cost: Cost) -> Self:
        return cls(
            agent_id=cost.agent_id,
            provider=cost.provider,
            model=cost.model,
            calls=cost.calls,
            input_tokens=cost.input_tokens,
            cached_tokens=cost.cached_tokens,
            output_tokens=cost.output_tokens,
            cost_usd=dollars(cost.cost_nano_usd) or 0.0,
            unpriced=cost.unpriced,
        )


class CostsView(BaseModel):
    """What was spent on which model by which agent, the most first."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"costs": [_COST]}]})

    costs: list[CostView] = Field(description="A thousand at most.")


class MemoryUseView(BaseModel):
    """How memory serves the calls that are given a context."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "calls": 1200,
                    "with_memories": 900,
                    "share_with_memories": 0.75,
                    "memories_per_call": 3.2,
                    "rungs": {"complete": 1190, "directive": 10},
                    "context_ms": {"p50": 5.9, "p95": 14.2, "p99": 22.0},
                }
            ]
        }
    )

    calls: int
    with_memories: int = Field(description="Calls that were told one memory at least.")
    share_with_memories: float | None
    memories_per_call: float | None
    rungs: Mapping[str, int] = Field(description="Calls by how much of its context each got.")
    context_ms: SpreadView = Field(description="The step that assembles it.")

    @classmethod
    def of(cls, use: MemoryUse) -> Self:
        return cls(
            calls=use.calls,
            with_memories=use.with_memories,
            share_with_memories=use.with_memories / use.calls if use.calls else None,
            memories_per_call=use.memories / use.calls if use.calls else None,
            rungs=use.rungs,
            context_ms=SpreadView.of(use.context),
        )


def _counted(span: Span) -> dict[str, object]:
    return {
        "calls": span.calls,
        "errors": span.errors,
        "input_tokens": span.input_tokens,
        "cached_tokens": span.cached_tokens,
        "output_tokens": span.output_tokens,
        "cost_usd": dollars(span.cost_nano_usd),
        "unpriced": span.unpriced,
        "latency_ms": SpreadView.of(span.latency),
    }
