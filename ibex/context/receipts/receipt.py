"""What a call was told beside what its client sent, and why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal
from uuid import UUID

from ibex.context.directives import InjectionMode


class Rung(StrEnum):
    """How much of the context a call got: the rungs of the ladder, the best first.

    `skipped` is below none of them: the client wanted no memories.
    """

    COMPLETE = "complete"
    HOT_CACHE = "hot_cache"
    DIRECTIVE_ONLY = "directive_only"
    NONE = "none"
    SKIPPED = "skipped"


# `conversation`: its text stands in the conversation already. `without`: left out on request.
LeftOut = Literal["budget", "ceiling", "duplicate", "conversation", "without"]
# `session`: it was said a moment ago; `repeated`: the same turn was told it before.
Source = Literal["search", "hot_cache", "session", "repeated"]


@dataclass(frozen=True, slots=True)
class Considered:
    """A memory that could have been told.

    Parameters
    ----------
    memory_id: None for what is not stored yet, a turn that was said a moment ago.
    score: orders those of one receipt.
    components: what the score is made of, by name.
    tokens: of its line.
    reason: why it was left out; None when it was told.
    """

    memory_id: UUID | None
    kind: str
    source: Source
    rank: int
    score: float
    components: Mapping[str, float]
    tokens: int
    reason: LeftOut | None


@dataclass(frozen=True, slots=True)
class DirectiveGiven:
    """The version of the directive that was told."""

    id: UUID
    number: int
    sha256: str
    mode: InjectionMode


@dataclass(frozen=True, slots=True)
class TokenSplit:
    """Tokens by part, and what there was room for.

    Parameters
    ----------
    messages: the client's own. `is_exact` is whether they were counted; else they are estimated.
    notice: what says how memories are marked.
    available: for memories.
    """

    window: int
    reserve: int
    margin: int
    directive: int
    notice: int
    messages: int
    is_exact: bool
    available: int
    memories: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """Everything that decided on the context of one call. No text of anybody is in it.

    Parameters
    ----------
    id: the request's.
    degraded: what retrieval had to do without, as a sentence.
    timings: milliseconds by part: `directive`, `retrieval`, `packing`, `all`.
    """

    id: UUID
    trace_id: str
    org_id: UUID
    agent_id: UUID
    user_id: str | None
    session_id: str | None
    at: datetime
    model: str
    rung: Rung
    degraded: str | None
    directive: DirectiveGiven | None
    considered: Sequence[Considered]
    tokens: TokenSplit
    timings: Mapping[str, float]
