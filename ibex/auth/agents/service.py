"""What can be done to agents."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import orjson
from psycopg import errors

from ibex.auth import audit
from ibex.auth.actor import Actor
from ibex.auth.agents import repository
from ibex.auth.agents.drift_choice import check_drift_choice
from ibex.auth.agents.repository import Agent
from ibex.auth.audit import AuditEvent
from ibex.auth.changes import Change, ChangeLog
from ibex.auth.names import (
    as_uuid,
    checked_description,
    checked_name,
    checked_slug,
    invalid,
    is_slug,
    no_access,
    slug_of,
    taken,
)
from ibex.auth.organizations.quota import Quota
from ibex.ids import uuid7
from ibex.storage import Connection, Postgres

_CONFIG_BYTES = 16 << 10


class AgentService:
    """Agents of one organization; each change is one transaction, audited and told to every process."""

    def __init__(self, postgres: Postgres, changes: ChangeLog, quota: Quota) -> None:
        self._postgres = postgres
        self._changes = changes
        self._quota = quota

    async def create(
        self,
        actor: Actor,
        name: str,
        slug: str | None = None,
        description: str = "",
        config: Mapping[str, Any] | None = None,
    ) -> Agent:
        """Raises VALIDATION_ERROR when a field is malformed, CONFLICT when the slug is taken or there are
        too many agents."""
        name, description, config = checked_name(name), checked_description(description), config or {}
        _check_config(config)
        slug = checked_slug(slug if slug is not None else slug_of(name))
        agent_id = uuid7()
        try:
            async with self._postgres.transaction(actor.org_id) as connection:
                await repository.insert(connection, actor.org_id, agent_id, slug, name, description, config)
                await audit.record(connection, AuditEvent.of(actor, "agent.create", agent_id, slug=slug))
                self._quota.check_agents(await repository.count(connection))
        except errors.UniqueViolation:
            raise taken("slug", f"There is an agent `{slug}` already; choose another slug.") from None
        return await self.get(actor.org_id, agent_id)

    async def page(self, org_id: UUID, after: UUID | None, limit: int) -> list[Agent]:
        return await repository.page(self._postgres, org_id, after, limit)

    async def get(self, org_id: UUID, agent_id: UUID) -> Agent:
        """Raises ACCESS_DENIED when the organization has no such agent."""
        agent = await repository.find(self._postgres, org_id, agent_id)
        if agent is None:
            raise no_access("agent")
        return agent

    async def find_by_slug(self, org_id: UUID, slug: str) -> Agent:
        """Raises VALIDATION_ERROR when the organization has no such agent."""
        agent = await repository.find_by_slug(self._postgres, org_id, slug)
        if agent is None:
            raise invalid("agent", f"There is no agent `{slug[:80]}` in this organization.")
        return agent

    async def resolve(self, org_id: UUID, reference: str) -> Agent:
        """The agent with an id or slug. Raises ACCESS_DENIED when the organization has no such agent."""
        agent_id = as_uuid(reference)
        if agent_id is not None:
            return await self.get(org_id, agent_id)
        agent = (
            await repository.find_by_slug(self._postgres, org_id, reference) if is_slug(reference) else None
        )
        if agent is None:
            raise no_access("agent")
        return agent

    async def update(
        self,
        actor: Actor,
        agent_id: UUID,
        *,
        name: str | None = None,
        description: str | None = None,
        config: Mapping[str, Any] | None = None,
    ) -> Agent:
        """Change what is given; a configuration is replaced as a whole. Raises VALIDATION_ERROR."""
        name = None if name is None else checked_name(name)
        description = None if description is None else checked_description(description)
        if config is not None:
            _check_config(config)
        change = Change("agent", agent_id)
        async with self._postgres.transaction(actor.org_id) as connection:
            if not await repository.update(connection, agent_id, name, description, config):
                raise no_access("agent")
            await audit.record(connection, AuditEvent.of(actor, "agent.update", agent_id))
            await self._changes.note(connection, change)
        await self._changes.announce(change)
        return await self.get(actor.org_id, agent_id)

    async def pause(self, actor: Actor, agent_id: UUID) -> Agent:
        """Refuse its calls from now on. Raises ACCESS_DENIED."""
        return await self._set_status(actor, agent_id, "paused", "agent.pause")

    async def pause_within(self, connection: Connection, actor: Actor, agent_id: UUID, reason: str) -> None:
        """Refuse its calls once the open transaction is done: within a second, as it is not announced.

        To come last in the transaction, as an audit event does.
        """
        await repository.set_status(connection, agent_id, "paused")
        await audit.record(connection, AuditEvent.of(actor, "agent.pause", agent_id, reason=reason))
        await self._changes.note(connection, Change("agent", agent_id))

    async def resume(self, actor: Actor, agent_id: UUID) -> Agent:
        return await self._set_status(actor, agent_id, "active", "agent.resume")

    async def _set_status(self, actor: Actor, agent_id: UUID, status: str, action: str) -> Agent:
        change = Change("agent", agent_id)
        async with self._postgres.transaction(actor.org_id) as connection:
            if not await repository.set_status(connection, agent_id, status):
                raise no_access("agent")
            await audit.record(connection, AuditEvent.of(actor, action, agent_id))
            await self._changes.note(connection, change)
        await self._changes.announce(change)
        return await self.get(actor.org_id, agent_id)


def _check_config(config: Mapping[str, Any]) -> None:
    size = len(orjson.dumps(dict(config)))
    if size > _CONFIG_BYTES:
        raise invalid("config", f"A configuration has {_CONFIG_BYTES} bytes at most as JSON, not {size}.")
    check_drift_choice(config)
