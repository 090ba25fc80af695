"""What a directive is."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, get_args
from uuid import UUID

InjectionMode = Literal["system_first", "system_append", "user_prepend"]
Status = Literal["draft", "review", "active", "deprecated", "revoked"]

MODES: tuple[InjectionMode, ...] = get_args(InjectionMode)


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectiveEntry:
    """One version of an agent's directive, without its text.

    Parameters
    ----------
    number: 1, 2, 3 … of its agent.
    sha256: of the text in UTF-8, in hexadecimal.
    size: bytes of the text in UTF-8.
    share: of the sessions that begin while it is being rolled out, from 0 to 1; None when it is not.
    kept_until: until when sessions that have it keep it, although another one is active.
    offered_at: since when sessions can have it without a break.
    """

    id: UUID
    agent_id: UUID
    number: int
    sha256: str
    size: int
    mode: InjectionMode
    status: Status
    share: float | None
    kept_until: datetime | None
    is_rolled_back: bool
    change_summary: str = field(repr=False)
    created_by: str
    created_at: datetime
    offered_at: datetime | None
    activated_at: datetime | None
    ended_at: datetime | None
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Directive(DirectiveEntry):
    """One version of an agent's directive: its text never changes, what becomes of it does."""

    content: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Rollout:
    """Which versions the sessions of an agent have.

    `candidate` is the one that is being rolled out, to its share of the sessions that begin. `kept` are
    earlier ones, for the sessions that have them.
    """

    agent_id: UUID
    active: DirectiveEntry | None
    candidate: DirectiveEntry | None
    kept: Sequence[DirectiveEntry]

    @classmethod
    def of(cls, agent_id: UUID, in_use: Sequence[DirectiveEntry]) -> "Rollout":
        active = next((each for each in in_use if each.status == "active"), None)
        candidate = next((each for each in in_use if each.share is not None), None)
        return cls(agent_id, active, candidate, [each for each in in_use if each not in (active, candidate)])
