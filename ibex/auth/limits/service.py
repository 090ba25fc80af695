"""What can be done to the limits of an organization."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final
from uuid import UUID

from ibex.auth import audit
from ibex.auth.actor import Actor
from ibex.auth.audit import AuditEvent
from ibex.auth.changes import Change, ChangeLog
from ibex.auth.limits import repository
from ibex.auth.limits.allowances import EVERYONE, Allowance, Allowances, LimitDefaults
from ibex.auth.limits.month import MonthUse, first_of_month
from ibex.auth.limits.repository import Override
from ibex.auth.limits.scope import SCOPE_NAMES, Scope
from ibex.auth.names import beyond, conflict, invalid, no_access
from ibex.auth.permissions import PlatformRight
from ibex.ids import uuid7
from ibex.storage import Connection, Postgres

MOST_OVERRIDES = 10_000
# Whose use of a month is counted.
MONTHLY: Final[tuple[Scope, ...]] = ("agent", "organization")

_END_USER = re.compile(r"[^\x00-\x1f\x7f\ud800-\udfff]{1,256}")


@dataclass(frozen=True, slots=True)
class Effective:
    """What applies to one subject, after overrides and defaults.

    `used` is what it has used in this month; None for those that have no limits of a month.
    """

    scope: Scope
    subject: str
    allowance: Allowance
    used: MonthUse | None


class LimitService:
    """Overrides of one organization; each change is one transaction, audited and told to every process."""

    def __init__(self, postgres: Postgres, changes: ChangeLog) -> None:
        self._postgres = postgres
        self._changes = changes

    async def put(self, actor: Actor, scope: Scope, subject: str, allowance: Allowance) -> Override:
        """Set all limits of a subject; what is None there falls back to what holds for others.

        Raises VALIDATION_ERROR, ACCESS_DENIED when there is no such token or agent, CONFLICT when there are
        too many overrides, and INSUFFICIENT_PERMISSIONS for the organization's own limits.
        """
        if allowance == Allowance():
            raise invalid("requests_per_minute", "Give one limit at least.")
        if allowance.holds_for_a_month and scope not in MONTHLY:
            raise invalid("scope", "Only an agent or the organization has limits of a month.")
        _require_platform(actor, scope)
        change = Change("limits", actor.org_id)
        async with self._postgres.transaction(actor.org_id) as connection:
            await repository.lock(connection, actor.org_id)
            subject = await _checked_subject(connection, actor.org_id, scope, subject)
            await repository.put(connection, actor.org_id, uuid7(), scope, subject, allowance)
            if await repository.count(connection) > MOST_OVERRIDES:
                raise conflict(f"An organization has {MOST_OVERRIDES} overrides at most. Remove one first.")
            event = AuditEvent.of(actor, "limit.set", f"{scope}:{subject}", **_detail(allowance))
            await audit.record_across(connection, actor, event)
            await self._changes.note(connection, change)
        await self._changes.announce(change)
        stored = await repository.find(self._postgres, actor.org_id, scope, subject)
        if stored is None:
            raise no_access("limit")
        return stored

    async def remove(self, actor: Actor, override_id: UUID) -> None:
        """Let the defaults hold again. Raises ACCESS_DENIED, or INSUFFICIENT_PERMISSIONS as `put` does."""
        async with self._postgres.transaction(actor.org_id) as connection:
            override = await repository.find_locked(connection, override_id)
            if override is None:
                raise no_access("limit")
            await self._remove(connection, actor, override)
        await self._changes.announce(Change("limits", actor.org_id))

    async def remove_of(self, actor: Actor, scope: Scope, subject: str) -> None:
        """The same, by what the override is for."""
        override = await repository.find(self._postgres, actor.org_id, scope, subject)
        if override is None:
            raise no_access("limit")
        await self.remove(actor, override.id)

    async def page(self, org_id: UUID, after: UUID | None, limit: int) -> list[Override]:
        return await repository.page(self._postgres, org_id, after, limit)

    async def effective(
        self,
        org_id: UUID,
        defaults: LimitDefaults,
        *,
        token_id: UUID | None = None,
        agent_id: UUID | None = None,
        end_user: str | None = None,
    ) -> list[Effective]:
        """What applies to the organization and to who else is named, narrowest first.

        Raises ACCESS_DENIED when one of them is not there.
        """
        named: list[tuple[Scope, str | None]] = [
            ("token", str(token_id) if token_id else None),
            ("agent", str(agent_id) if agent_id else None),
            ("end_user", end_user),
            ("organization", str(org_id)),
        ]
        subjects = [(scope, subject) for scope, subject in named if subject is not None]
        async with self._postgres.transaction(org_id) as connection:
            for scope, subject in subjects:
                await _checked_subject(connection, org_id, scope, subject)
        found = await repository.all_of(self._postgres, org_id)
        allowances = Allowances(defaults, {(each.scope, each.subject): each.allowance for each in found})
        month = first_of_month(datetime.now(UTC))
        counted = await repository.used_in(self._postgres, org_id, month)
        used = {(use.scope, str(use.subject)): use for use in counted}
        return [
            Effective(
                scope,
                subject,
                allowances.of(scope, subject),
                used.get((scope, subject)) or _nothing_used(month, scope, subject),
            )
            for scope, subject in subjects
        ]

    async def _remove(self, connection: Connection, actor: Actor, override: Override) -> None:
        _require_platform(actor, override.scope)
        await repository.delete(connection, override.id)
        target = f"{override.scope}:{override.subject}"
        await audit.record_across(connection, actor, AuditEvent.of(actor, "limit.remove", target))
        await self._changes.note(connection, Change("limits", actor.org_id))


def _nothing_used(month: date, scope: Scope, subject: str) -> MonthUse | None:
    return MonthUse(month, scope, UUID(subject)) if scope in MONTHLY else None


async def _checked_subject(connection: Connection, org_id: UUID, scope: Scope, subject: str) -> str:
    """As it is stored. Raises VALIDATION_ERROR, or ACCESS_DENIED when there is no such thing here."""
    if scope == "end_user":
        if _END_USER.fullmatch(subject) is None:
            raise invalid(
                "subject", "An end user's name has 1 to 256 characters, none of them a control one."
            )
        return subject
    if scope != "organization" and subject == EVERYONE:
        return subject
    try:
        subject_id = UUID(subject)
    except ValueError:
        raise invalid("subject", f"`{subject[:80]}` is not the id of a token or agent, nor `*`.") from None
    if (scope == "organization" and subject_id != org_id) or not await repository.exists(
        connection, scope, subject_id
    ):
        raise no_access(SCOPE_NAMES[scope])
    return str(subject_id)


def _require_platform(actor: Actor, scope: Scope) -> None:
    """An organization does not lift its own limits."""
    if scope == "organization" and PlatformRight.ORGANIZATIONS not in actor.grant.platform:
        raise beyond(
            "The limits of an organization are set by those who run this installation.",
            "Missing: platform:organizations.",
        )


def _detail(allowance: Allowance) -> dict[str, int]:
    limits = {
        "requests_per_minute": allowance.requests_per_minute,
        "tokens_per_minute": allowance.tokens_per_minute,
        "concurrent_requests": allowance.concurrent_requests,
        "requests_per_month": allowance.requests_per_month,
        "tokens_per_month": allowance.tokens_per_month,
        "nano_usd_per_month": allowance.nano_usd_per_month,
    }
    return {name: limit for name, limit in limits.items() if limit is not None}
