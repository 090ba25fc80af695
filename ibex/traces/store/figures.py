"""What many traces come to."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Spread:
    """Percentiles in milliseconds, between two values by linear interpolation; None when there is none."""

    p50: float | None
    p95: float | None
    p99: float | None


@dataclass(frozen=True, slots=True)
class Span:
    """The calls that began within some time.

    Parameters
    ----------
    begins: None for all of them together.
    errors: calls that failed, or whose answer broke off.
    cost_nano_usd: in 1e-9 US dollars, without the `unpriced` calls, whose cost is not known.
    latency: of the whole call.
    """

    begins: datetime | None
    calls: int
    errors: int
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    cost_nano_usd: int
    unpriced: int
    latency: Spread


@dataclass(frozen=True, slots=True)
class StepTime:
    """How long one step took, in the `calls` that reached it."""

    step: str
    calls: int
    time: Spread


@dataclass(frozen=True, slots=True)
class Cost:
    """What an agent has spent on one model. Otherwise as in `Span`."""

    agent_id: UUID
    provider: str | None
    model: str
    calls: int
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    cost_nano_usd: int
    unpriced: int


@dataclass(frozen=True, slots=True)
class MemoryUse:
    """How memory has served the calls that were given a context.

    Parameters
    ----------
    rungs: calls by rung of the ladder of context.
    with_memories: calls that were told one memory at least.
    memories: that were told, in all of them together.
    context: the time of the step that assembles it.
    """

    calls: int
    with_memories: int
    memories: int
    rungs: Mapping[str, int]
    context: Spread


@dataclass(frozen=True, slots=True)
class Expired:
    """Traces that are too old: `week` is the Monday of a week that goes as a whole, None for single ones.

    `traces` may be an estimate.
    """

    week: date | None
    traces: int
