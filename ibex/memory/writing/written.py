"""What comes of a write."""

from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from ibex.errors import ErrorCode, IbexError
from ibex.memory.memory import Memory
from ibex.memory.writing.detection import Finding


@dataclass(frozen=True, slots=True)
class Written:
    """A memory that was stored.

    Parameters
    ----------
    findings: what was found in its text; offsets are into the text that came.
    superseded: earlier memories whose place it takes, because they say the same or no longer hold.
    conflicts: memories that it contradicts, and nobody can tell which of them holds.
    """

    outcome: Literal["created", "quarantined"]
    memory: Memory
    findings: tuple[Finding, ...] = ()
    superseded: tuple[UUID, ...] = ()
    conflicts: tuple[UUID, ...] = ()


def duplicate(memory_id: UUID) -> IbexError:
    """The error for a text that is remembered already; its detail is the id of the memory that has it."""
    return IbexError(
        ErrorCode.DUPLICATE_CONTENT, "The same text is remembered here already.", detail=str(memory_id)
    )
