"""What can be done to an organization as a whole."""

from uuid import UUID

from psycopg import errors

from ibex.auth import audit
from ibex.auth.actor import Actor
from ibex.auth.audit import AuditEvent
from ibex.auth.changes import ChangeLog
from ibex.auth.names import checked_name, checked_slug, invalid, no_access, slug_of
from ibex.auth.organizations import repository
from ibex.auth.organizations.repository import Organization
from ibex.ids import uuid7
from ibex.storage import Postgres


class OrganizationService:
    """Organizations; each change is one transaction, audited in the organization concerned."""

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

    async def create(self, actor_name: str, name: str, slug: str | None = None) -> Organization:
        """Raises VALIDATION_ERROR when the name or slug is malformed or the slug taken."""
        name = checked_name(name)
        slug = checked_slug(slug if slug is not None else slug_of(name))
        org_id = uuid7()
        actor = Actor.local(org_id, actor_name)
        try:
            async with self._postgres.transaction(org_id) as connection:
                await repository.insert(connection, org_id, slug, name)
                await audit.record(connection, AuditEvent.of(actor, "organization.create", org_id, slug=slug))
        except errors.UniqueViolation:
            raise invalid("slug", f"There is an organization `{slug}` already.") from None
        return await self.get(org_id)
