"""One line of an organization's audit."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Literal, Self
from uuid import UUID

from ibex.auth.actor import Actor
from ibex.auth.audit import repository
from ibex.auth.audit.lines import spelled
from ibex.auth.audit.repository import NewEvent
from ibex.ids import uuid7
from ibex.storage import Connection

Outcome = Literal["success", "refused", "degraded"]

# Longer than anything that is checked before it gets here; for what is not.
_LONGEST_TEXT = 1_000


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


async def record(connection: Connection, *events: AuditEvent) -> None:
    """Write events in the transaction of their cause, so that neither exists without the other.

    To come after the statements of the cause: the organization's next event waits for the transaction's end.
    Whatever a text holds, it can be stored: an event never makes its cause fail.
    """
    await repository.insert(connection, [_storable(event) for event in events])


async def record_across(connection: Connection, actor: Actor, event: AuditEvent) -> None:
    """As `record`; what somebody does to another organization is told in their own one as well.

    Of two who change each other's organization at once, one waits: both begin with the same chain.
    """
    if actor.home is None:
        await record(connection, event)
        return
    at_home = AuditEvent.of(actor.within(actor.home), event.action, event.org_id)
    for told in sorted((event, at_home), key=lambda each: each.org_id):
        await repository.enter(connection, told.org_id)
        await record(connection, told)
    await repository.enter(connection, event.org_id)


def _storable(event: AuditEvent) -> NewEvent:
    detail = {
        _clean(key): _clean(value) if isinstance(value, str) else value for key, value in event.detail.items()
    }
    return NewEvent(
        org_id=event.org_id,
        id=event.id,
        actor=_clean(event.actor),
        action=_clean(event.action),
        target=None if event.target is None else _clean(event.target),
        outcome=event.outcome,
        request_id=event.request_id,
        address=_address(event.address),
        detail=spelled(detail),
    )


def _clean(text: str) -> str:
    """Without what cannot be stored, NUL and halves of surrogate pairs, and not without end."""
    text = text.replace("\0", "\N{REPLACEMENT CHARACTER}")
    return text.encode("utf-8", "replace").decode()[:_LONGEST_TEXT]


def _address(text: str | None) -> str | None:
    """An IP address; None for what a proxy has put in its place, such as `unknown`."""
    try:
        # What follows the percent sign names an interface of this machine.
        return None if text is None else str(ip_address(text.partition("%")[0]))
    except ValueError:
        return None
