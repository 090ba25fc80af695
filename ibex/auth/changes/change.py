"""What may change while processes remember it."""

from dataclasses import dataclass
from typing import Literal, get_args
from uuid import UUID

Kind = Literal["token", "agent", "user", "organization", "credentials", "limits", "directive"]
_KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True, slots=True)
class Change:
    """What changed. Nothing else travels: the receiver asks the database for the truth.

    `id` is that of the token, agent or user, for a directive that of its agent, and of the organization for
    everything else.
    """

    kind: Kind
    id: UUID


def change_of(kind: str, subject: UUID) -> Change | None:
    """The change that a newer or older version has written down; None for a kind unknown to this one."""
    return next((Change(known, subject) for known in _KINDS if known == kind), None)
