"""What can be done to an organization as a whole."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, replace
from datetime import timedelta
from uuid import UUID

from psycopg import errors

from ibex.auth import audit
from ibex.auth.actor import Actor
from ibex.auth.audit import AuditEvent
from ibex.auth.changes import Change, ChangeLog
from ibex.auth.names import checked_name, checked_slug, conflict, no_access, slug_of, taken
from ibex.auth.organizations import repository
from ibex.auth.organizations.repository import Choices, Organization
from ibex.ids import uuid7
from ibex.storage import Connection, Postgres

_PAGE = 100


class OrganizationService:
    """Organizations; each change is one transaction, audited in the organization concerned, and in the one
    that the actor comes from."""

    def __init__(self, postgres: Postgres, changes: ChangeLog) -> None:
        self._postgres = postgres
        self._changes = changes

    async def find_by_slug(self, slug: str) -> UUID | None:
        """The id of an organization, for those on the machine itself."""
        return await repository.find_by_slug(self._postgres, slug)

    async def get(self, org_id: UUID) -> Organization:
        """Raises ACCESS_DENIED when there is none."""
        organization = await repository.find(self._postgres, org_id)
        if organization is None:
            raise no_access("organization")
        return organization

    async def every(self) -> AsyncIterator[Organization]:
        """All of them, for those on the machine itself."""
        after = None
        while found := await self.page(after, _PAGE):
            for organization in found:
                yield organization
            after = found[-1].id

    async def page(self, after: UUID | None, limit: int) -> list[Organization]:
        """Organizations in the order of their creation, for holders of a platform right only."""
        ids = await repository.next_organizations(self._postgres, after, limit)
        found = [await repository.find(self._postgres, org_id) for org_id in ids]
        return [organization for organization in found if organization is not None]

    async def create(self, actor_name: str, name: str, slug: str | None = None) -> Organization:
        """Raises VALIDATION_ERROR when the name or slug is malformed, CONFLICT when the slug is taken."""
        org_id = uuid7()
        async with self.adding(Actor.local(org_id, actor_name), name, slug):
            pass
        return await self.get(org_id)

    @asynccontextmanager
    async def adding(self, actor: Actor, name: str, slug: str | None) -> AsyncIterator[Connection]:
        """The transaction that makes the organization in which `actor` acts. Raises as `create`."""
        name = checked_name(name)
        slug = checked_slug(slug if slug is not None else slug_of(name))
        async with self._postgres.transaction(actor.org_id) as connection:
            try:
                await repository.insert(connection, actor.org_id, slug, name)
            except errors.UniqueViolation:
                raise taken(
                    "slug", f"There is an organization `{slug}` already; choose another slug."
                ) from None
            event = AuditEvent.of(actor, "organization.create", actor.org_id, slug=slug)
            await audit.record_across(connection, actor, event)
            yield connection

    async def update(self, actor: Actor, org_id: UUID, choices: Choices) -> Organization:
        """Change what is given. Raises VALIDATION_ERROR, and ACCESS_DENIED when there is none."""
        if choices.name is not None:
            choices = replace(choices, name=checked_name(choices.name))
        told = {field: value for field, value in asdict(choices).items() if value is not None}
        async with self._changing(actor, org_id, "organization.update", **told) as connection:
            await repository.update(connection, org_id, choices)
        return await self.get(org_id)

    async def suspend(self, actor: Actor, org_id: UUID) -> Organization:
        """Refuse all of its tokens until it is resumed. Raises CONFLICT for one that is being deleted, or
        that is the last one with rights over the installation."""
        async with self._changing(actor, org_id, "organization.suspend") as connection:
            if await repository.status_to_change(connection, org_id) in {"deleting", "erasing"}:
                raise conflict("The organization is being deleted. Resume it first.")
            await _keep_a_way_in(connection, org_id)
            await repository.set_status(connection, org_id, "suspended")
        return await self.get(org_id)

    async def resume(self, actor: Actor, org_id: UUID) -> Organization:
        """Let its tokens be used again; within the grace period that ends a deletion. Raises CONFLICT
        after it."""
        async with self._changing(actor, org_id, "organization.resume") as connection:
            if await repository.status_to_change(connection, org_id) == "erasing":
                raise conflict("The grace period of the organization is over: it is being erased.")
            await repository.set_status(connection, org_id, "active")
        return await self.get(org_id)

    async def delete(self, actor: Actor, org_id: UUID, grace: timedelta) -> Organization:
        """Refuse all of its tokens, and erase it after `grace`; a deletion that has begun goes on as it is.

        Raises CONFLICT for the last one with rights over the installation.
        """
        async with self._changing(actor, org_id, "organization.delete", grace_days=grace.days) as connection:
            await _keep_a_way_in(connection, org_id)
            status = await repository.status_to_change(connection, org_id)
            if status not in {"deleting", "erasing"}:
                await repository.begin_to_delete(connection, org_id, grace)
        return await self.get(org_id)

    @asynccontextmanager
    async def _changing(
        self, actor: Actor, org_id: UUID, action: str, **detail: str | int
    ) -> AsyncIterator[Connection]:
        """The transaction of a change, which is audited and told to every process."""
        change = Change("organization", org_id)
        there = actor.within(org_id)
        async with self._postgres.transaction(org_id) as connection:
            if await repository.status_to_change(connection, org_id) is None:
                raise no_access("organization")
            yield connection
            await audit.record_across(connection, there, AuditEvent.of(there, action, org_id, **detail))
            await self._changes.note(connection, change)
        await self._changes.announce(change)


async def _keep_a_way_in(connection: Connection, org_id: UUID) -> None:
    if await repository.is_last_with_platform_rights(connection, org_id):
        raise conflict(
            "No other organization has a token with `platform:organizations`. Create one there first, or "
            "nobody could administer this installation over REST."
        )
