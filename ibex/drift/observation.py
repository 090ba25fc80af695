"""What is watched of one call."""

import math
from collections.abc import Iterable, Iterator, MutableMapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

from ibex.traces.trace import Trace

# Logarithms of what these are; the first in milliseconds.
NUMBERS: Final = ("latency", "output_tokens", "answer_chars", "input_tokens")
# Names that a call has none, one or several of.
LABELS: Final = ("errors", "refusals", "tools", "tool_order", "finish_reason", "model_served")
# Of these a call has one name or none.
ONLY: Final = {"errors": "error", "refusals": "refusal"}
FEATURES: Final = (*NUMBERS, *LABELS)
# In the place of a tool where an answer calls none.
NO_TOOL: Final = "(none)"

_ANSWERS: Final = frozenset({"ok"})
_ERRORS: Final = frozenset({"failed", "broken"})
_LONGEST_LABEL: Final = 64
# An answer that calls more tools is watched as if it called these.
_MOST_TOOLS: Final = 16
# Conversations whose last tool is remembered, for the order of tools.
_MOST_SESSIONS: Final = 64


@dataclass(frozen=True, slots=True)
class Observation:
    """What is watched of one call.

    Parameters
    ----------
    at: seconds since the epoch.
    session: a short hash of the conversation's id.
    numbers: one for each of `NUMBERS`; None where the call has none.
    labels: those of the call for each of `LABELS`; None where the call cannot have any.
    """

    at: float
    session: str
    numbers: tuple[float | None, ...]
    labels: tuple[tuple[str, ...] | None, ...]


def typical(feature: str, mean: float) -> float:
    """The geometric mean of one of `NUMBERS`, from the mean of its logarithm."""
    return round(math.exp(mean) if feature == "latency" else math.expm1(mean), 2)


def observed(traces: Iterable[Trace], last_tools: MutableMapping[str, str]) -> Iterator[Observation]:
    """What is watched of calls, in their order; calls that say nothing of the agent are left out.

    A call that its client gave up says nothing, nor one that asks for no answer, such as for embeddings. A
    call that failed counts as an error and as nothing else: how long it took is the failure's, not the
    agent's.

    Parameters
    ----------
    last_tools: the last tool that each conversation called; it is kept up to date, and small.
    """
    for trace in traces:
        if trace.session_id is None:
            continue
        session = blake2b(trace.session_id.encode(), digest_size=6).hexdigest()
        at = trace.at.timestamp()
        if trace.outcome in _ERRORS:
            yield Observation(
                at, session, (None,) * len(NUMBERS), ((ONLY["errors"],), *(None,) * (len(LABELS) - 1))
            )
        elif trace.outcome in _ANSWERS:
            yield Observation(at, session, _numbers(trace), _labels(trace, session, last_tools))


def _numbers(trace: Trace) -> tuple[float | None, ...]:
    return (
        math.log(max(trace.latency_ms - trace.overhead_ms, 0.1)),
        None if trace.output_tokens is None else math.log1p(trace.output_tokens),
        None if trace.answer_chars is None else math.log1p(trace.answer_chars),
        None if trace.input_tokens is None else math.log1p(trace.input_tokens),
    )


def _labels(
    trace: Trace, session: str, last_tools: MutableMapping[str, str]
) -> tuple[tuple[str, ...] | None, ...]:
    is_read = trace.answer_chars is not None
    tools = [tool[:_LONGEST_LABEL] for tool in trace.tools[:_MOST_TOOLS]]
    return (
        (),
        None if not is_read else (ONLY["refusals"],) if trace.refused else (),
        (tuple(dict.fromkeys(tools)) or (NO_TOOL,)) if is_read else None,
        _order(tools, session, last_tools) if is_read else None,
        None if trace.finish_reason is None else (trace.finish_reason[:_LONGEST_LABEL],),
        None if trace.model_served is None else (trace.model_served[:_LONGEST_LABEL],),
    )


def _order(tools: list[str], session: str, last_tools: MutableMapping[str, str]) -> tuple[str, ...]:
    """Which tool came after which, through the calls of a conversation; the last to end it comes to none."""
    before = last_tools.pop(session, NO_TOOL)
    pairs: dict[str, None] = {}
    for tool in tools or [NO_TOOL]:
        if (before, tool) != (NO_TOOL, NO_TOOL):
            pairs[f"{before} → {tool}"] = None
        before = tool
    if before != NO_TOOL:
        last_tools[session] = before
        if len(last_tools) > _MOST_SESSIONS:
            del last_tools[next(iter(last_tools))]
    return tuple(pairs)
