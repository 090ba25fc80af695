"""One line of an organization's audit."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Self
from uuid import UUID

import orjson

from ibex.auth.actor import Actor
from ibex.auth.audit import repository
from ibex.ids import uuid7
from ibex.storage import Connection

Outcome = Literal["success", "refused", "degraded"]


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """Who did what, from where, and how it went; never a secret.

    `actor` is `cli`, `system` or `token:<id>`.
    """

    org_id: UUID
    actor: str
    action: str
    outcome: Outcome
    target: str | None = None
    detail: Mapping[str, str | int] = field(default_factory=dict)
    request_id: UUID | None = None
    address: str | None = None
    id: UUID = field(default_factory=uuid7)

    @classmethod
    def of(cls, actor: Actor, action: str, target: object, **detail: str | int) -> Self:
        """Something that somebody has done. `action` is `noun.verb`."""
        return cls(
            org_id=actor.org_id,
            actor=actor.name,
            action=action,
            outcome="success",
            target=str(target),
            detail=detail,
            request_id=actor.request_id,
            address=actor.address,
        )


async def record(connection: Connection, event: AuditEvent) -> None:
    """Write an event in the transaction of its cause, so that neither exists without the other.

    To come after the statements of the cause: the organization's next event waits for the transaction's end.
    """
    await repository.insert(
        connection,
        event.org_id,
        event.id,
        actor=event.actor,
        action=event.action,
        target=event.target,
        outcome=event.outcome,
        request_id=event.request_id,
        address=event.address,
        detail=orjson.dumps(dict(event.detail), option=orjson.OPT_SORT_KEYS).decode(),
    )
