"""What a memory is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

Kind = Literal["factual", "preference", "behavioral", "episodic", "procedural"]
Visibility = Literal["agent", "org", "session"]
Status = Literal["active", "superseded", "merged", "archived", "quarantined", "deleted"]

KINDS: tuple[Kind, ...] = ("factual", "preference", "behavioral", "episodic", "procedural")


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose memories are meant: of one agent, about one end user or about none.

    Parameters
    ----------
    session_id: memories of visibility `session` are seen in their session only.
    """

    org_id: UUID
    agent_id: UUID
    user_id: str | None = None
    session_id: str | None = None


@dataclass(frozen=True, slots=True)
class Label:
    """One of several kinds of thing that a text may be."""

    name: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a memory comes from: the turn that it was said in, by whom, and the call that brought it."""

    turn_id: UUID | None = None
    role: str | None = None
    speaker: str | None = None
    trace_id: str | None = None

    @property
    def voice(self) -> str | None:
        """Who said it, as well as that is known."""
        return self.speaker or self.role


@dataclass(frozen=True, slots=True)
class NewMemory:
    """A text that is to be remembered, as it came; checked by the write path, not before.

    `observed_at` None is now. `kind` None lets the write path choose.
    """

    content: str = field(repr=False)
    kind: str | None = None
    labels: Sequence[Label] = ()
    confidence: float | None = None
    observed_at: datetime | None = None
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    visibility: str = "agent"
    tags: Sequence[str] = ()
    pinned: bool = False
    metadata: Mapping[str, Any] = field(default_factory=dict, repr=False)
    provenance: Provenance = Provenance()


@dataclass(frozen=True, slots=True)
class Memory:
    """One memory as it is stored."""

    id: UUID
    version: int
    agent_id: UUID
    user_id: str | None
    session_id: str | None
    provenance: Provenance
    visibility: Visibility
    kind: Kind
    labels: Sequence[Label]
    status: Status
    content: str = field(repr=False)
    confidence: float
    risk: float
    pinned: bool
    tags: Sequence[str]
    metadata: Mapping[str, Any] = field(repr=False)
    observed_at: datetime
    valid_from: datetime | None
    valid_until: datetime | None
    helpful: float
    unhelpful: float
    uses: int
    last_used_at: datetime | None
    is_embedded: bool
    created_at: datetime
    updated_at: datetime

    @property
    def usefulness(self) -> float:
        """Mean of the Beta posterior, between 0 and 1."""
        return self.helpful / (self.helpful + self.unhelpful)
