"""One turn of a conversation that is over, as far as something can be learned from it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from uuid import UUID

from ibex.memory import Scope

Role = Literal["user", "assistant"]


@dataclass(frozen=True, slots=True)
class Told:
    """A memory that stood in the prompt; `id` is None of what was not stored yet."""

    id: UUID | None
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class FinishedTurn:
    """What was said, and what the model was told beside it.

    Parameters
    ----------
    scope: with the session of the conversation.
    turn_id: of the call; those of later turns sort behind it.
    question: what the user has said in this turn. Empty when the call only goes on with one, as with what a
        tool has answered.
    read_answer: what the assistant has said, without calls of tools. It is called once, later, and in another
        thread when `answer_bytes`, the size of what it reads, are many.
    """

    scope: Scope
    turn_id: UUID
    trace_id: str
    at: datetime
    question: str = field(repr=False)
    read_answer: Callable[[], str] = field(repr=False)
    answer_bytes: int
    told: Sequence[Told] = ()


@dataclass(frozen=True, slots=True)
class Said:
    """A part of a turn that is worth remembering, without what must not be stored.

    `is_quarantined` is whether nobody may be told of it before somebody has looked at it.
    """

    role: Role
    text: str = field(repr=False)
    is_quarantined: bool


@dataclass(frozen=True, slots=True)
class Lesson:
    """What is to be learned from a turn. It can be written as JSON.

    Parameters
    ----------
    question: SHA-256 of what the user has said, for the same said again; empty when that was nothing.
    used: the memories that the answer made use of.
    is_correction: whether the user rejects the answer of the turn before.
    """

    scope: Scope
    turn_id: UUID
    trace_id: str
    at: datetime
    said: tuple[Said, ...]
    question: str
    used: tuple[UUID, ...]
    is_correction: bool

    @property
    def is_empty(self) -> bool:
        return not (self.said or self.used or self.is_correction)
