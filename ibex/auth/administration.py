"""Changes to organizations, agents and tokens: each one transaction, audited, and told to every process."""

import re
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from uuid import UUID

from psycopg import errors
from redis.asyncio import Redis
from redis.exceptions import RedisError

from ibex.auth import audit, invalidation, repository, tokens
from ibex.auth.permissions import Permission
from ibex.auth.repository import Agent, Organization, TokenRecord
from ibex.errors import ErrorCode, FieldError, IbexError
from ibex.ids import uuid7
from ibex.storage import Postgres

# Any constant does, as long as every replica uses the same.
_LOCK = 0x1BE0_0002
# The longest that a process may be set to keep a principal (`token_cache_seconds`).
_LONGEST_CACHE_SECONDS = 30
_SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_NOT_IN_SLUG = re.compile(r"[^a-z0-9]+")


class NotAnnouncedError(Exception):
    """A change was made and holds, but the processes that run could not be told of it."""


class Administration:
    """What an administrator does. `actor` is written to the audit of the organization concerned.

    What running processes must hear of raises `NotAnnouncedError` when it was done but not announced.
    """

    def __init__(self, postgres: Postgres, changes: Redis, pepper: bytes, *, actor: str) -> None:
        self._postgres = postgres
        self._changes = changes
        self._pepper = pepper
        self._actor = actor

    def alone(self) -> AbstractAsyncContextManager[object]:
        """While this is entered, no other process of any replica is in it."""
        return self._postgres.locked(_LOCK)

    async def find_organization(self, slug: str) -> Organization | None:
        return await repository.find_organization(self._postgres, slug)

    async def create_organization(self, slug: str, name: str) -> Organization:
        """Raises VALIDATION_ERROR when the slug is malformed or taken."""
        organization = Organization(uuid7(), _checked_slug(slug), name, "active")
        try:
            async with self._postgres.transaction(organization.id) as connection:
                await repository.insert_organization(connection, organization)
                await audit.record(connection, self._event(organization.id, "organization.create", slug))
        except errors.UniqueViolation:
            raise _invalid("slug", f"There is an organization `{slug}` already.") from None
        return organization

    async def create_agent(
        self, org_id: UUID, name: str, slug: str | None = None, description: str = ""
    ) -> Agent:
        """Raises VALIDATION_ERROR when the name is empty or too long, or the slug malformed or taken."""
        if not 1 <= len(name.strip()) <= 200 or "\x00" in name + description:
            raise _invalid("name", "A name has 1 to 200 characters, none of them NUL.")
        slug = _checked_slug(slug if slug is not None else _slug_of(name))
        try:
            async with self._postgres.transaction(org_id) as connection:
                await repository.insert_agent(connection, org_id, uuid7(), slug, name, description)
                await audit.record(connection, self._event(org_id, "agent.create", slug))
        except errors.UniqueViolation:
            raise _invalid("slug", f"There is an agent `{slug}` already; choose another slug.") from None
        return await self.find_agent(org_id, slug)

    async def list_agents(self, org_id: UUID) -> list[Agent]:
        return await repository.list_agents(self._postgres, org_id)

    async def find_agent(self, org_id: UUID, slug: str) -> Agent:
        """Raises VALIDATION_ERROR when the organization has no such agent."""
        agent = await repository.find_agent(self._postgres, org_id, slug)
        if agent is None:
            raise _invalid("agent", f"There is no agent `{slug}` in this organization.")
        return agent

    async def pause_agent(self, org_id: UUID, slug: str) -> None:
        await self._set_agent_status(org_id, slug, "paused", "agent.pause")

    async def resume_agent(self, org_id: UUID, slug: str) -> None:
        await self._set_agent_status(org_id, slug, "active", "agent.resume")

    async def create_token(
        self,
        org_id: UUID,
        name: str,
        permissions: Permission,
        *,
        agent: str | None = None,
        default_agent: str | None = None,
        expires_at: datetime | None = None,
        token: tokens.Token | None = None,
    ) -> tokens.Token:
        """Store a new token, bound to `agent` if one is named. Its text cannot be had again later."""
        if not 1 <= len(name.strip()) <= 200 or "\x00" in name:
            raise _invalid("name", "A name has 1 to 200 characters, none of them NUL.")
        agent_id = (await self.find_agent(org_id, agent)).id if agent else None
        default_agent_id = (await self.find_agent(org_id, default_agent)).id if default_agent else None
        token = token or tokens.generate(uuid7())
        async with self._postgres.transaction(org_id) as connection:
            await repository.insert_token(
                connection,
                org_id,
                token.id,
                name=name,
                secret_hash=tokens.secret_hash(token, self._pepper),
                permissions=int(permissions),
                agent_id=agent_id,
                default_agent_id=default_agent_id,
                expires_at=expires_at,
            )
            await audit.record(connection, self._event(org_id, "token.create", str(token.id)))
        return token

    async def list_tokens(self, org_id: UUID) -> list[TokenRecord]:
        return await repository.list_tokens(self._postgres, org_id)

    async def revoke_token(self, org_id: UUID, token_id: UUID) -> None:
        """Raises VALIDATION_ERROR when the organization has no such token."""
        async with self._postgres.transaction(org_id) as connection:
            if not await repository.revoke_token(connection, token_id):
                raise _invalid("token", f"There is no token {token_id} in this organization.")
            await audit.record(connection, self._event(org_id, "token.revoke", str(token_id)))
        await self._announce(invalidation.Change("token", token_id))

    async def _set_agent_status(self, org_id: UUID, slug: str, status: str, action: str) -> None:
        agent = await self.find_agent(org_id, slug)
        async with self._postgres.transaction(org_id) as connection:
            await repository.set_agent_status(connection, agent.id, status)
            await audit.record(connection, self._event(org_id, action, slug))
        await self._announce(invalidation.Change("agent", agent.id))

    async def _announce(self, change: invalidation.Change) -> None:
        try:
            await invalidation.publish(self._changes, change)
        except (RedisError, OSError, TimeoutError) as error:
            # Where Redis is away for all, they do not trust their caches; but only this one may be cut off.
            raise NotAnnouncedError(
                f"Done, but running processes could not be told ({type(error).__name__}): "
                f"they may go on for up to {_LONGEST_CACHE_SECONDS} s."
            ) from error

    def _event(self, org_id: UUID, action: str, target: str) -> audit.AuditEvent:
        return audit.AuditEvent(org_id, self._actor, action, "success", target)


def _slug_of(name: str) -> str:
    return _NOT_IN_SLUG.sub("-", name.lower()).strip("-")[:63]


def _checked_slug(slug: str) -> str:
    if _SLUG.fullmatch(slug) is None or _is_uuid(slug):
        raise _invalid(
            "slug",
            f"`{slug}` is not a slug: use 1 to 63 small letters, digits and hyphens (and no UUID).",
        )
    return slug


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def _invalid(field: str, message: str) -> IbexError:
    return IbexError(
        ErrorCode.VALIDATION_ERROR, message, param=field, field_errors=[FieldError(field, message)]
    )
