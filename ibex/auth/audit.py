"""The record of changes and of refusals that matter. It holds who, what and when; never a secret."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Literal
from uuid import UUID

from ibex.auth import repository
from ibex.ids import uuid7
from ibex.storage import Connection, Postgres
from ibex.storage.write_behind import WriteBehind

Outcome = Literal["success", "refused", "degraded"]


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """One line of an organization's audit. `actor` is `cli`, `system` or `token:<id>`."""

    org_id: UUID
    actor: str
    action: str
    outcome: Outcome
    target: str | None = None
    detail: Mapping[str, str | int] = field(default_factory=dict)
    id: UUID = field(default_factory=uuid7)


async def record(connection: Connection, event: AuditEvent) -> None:
    """Write an event in the transaction of its cause, so that neither exists without the other."""
    await repository.insert_audit_event(
        connection,
        event.org_id,
        event.id,
        actor=event.actor,
        action=event.action,
        target=event.target,
        outcome=event.outcome,
        detail=dict(event.detail),
    )


class AuditTrail(WriteBehind[AuditEvent]):
    """Events that have no transaction of their own, such as a limiter that had to count by itself."""

    def __init__(self, postgres: Postgres, *, dropped: Callable[[int], None]) -> None:
        async def write(events: Sequence[AuditEvent]) -> None:
            for org_id, group in groupby(sorted(events, key=lambda e: e.org_id), key=lambda e: e.org_id):
                async with postgres.transaction(org_id) as connection:
                    for event in group:
                        await record(connection, event)

        super().__init__(write, dropped=dropped, capacity=10_000)
