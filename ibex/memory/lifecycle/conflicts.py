"""Conflicts: what contradicts each other, until somebody says which of it holds."""

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from ibex.auth import audit
from ibex.auth.actor import Actor
from ibex.auth.agents.ownership import check_owner
from ibex.auth.audit import AuditEvent
from ibex.auth.names import conflict, invalid, no_access
from ibex.memory.lifecycle.changing import Changing, Step
from ibex.memory.memory import Memory
from ibex.memory.repository import conflicts
from ibex.memory.repository.conflicts import ConflictStatus, StoredConflict
from ibex.memory.repository.partitions import LockedPartition
from ibex.storage import Connection, Postgres


class MemoryConflicts:
    """The conflicts of one organization; those of its agent for a token that is bound to one."""

    def __init__(self, postgres: Postgres, changing: Changing) -> None:
        self._postgres = postgres
        self._changing = changing

    async def page(
        self,
        actor: Actor,
        agent_id: UUID | None,
        status: ConflictStatus,
        after: UUID | None,
        limit: int,
    ) -> list[StoredConflict]:
        return await conflicts.page(self._postgres, actor.org_id, agent_id, status, after, limit)

    async def get(self, actor: Actor, conflict_id: UUID) -> StoredConflict:
        """Raises ACCESS_DENIED and AGENT_NOT_AUTHORIZED."""
        found = await conflicts.find(self._postgres, actor.org_id, conflict_id)
        if found is None:
            raise no_access("conflict")
        check_owner(actor, found.agent_id)
        return found

    async def resolve(self, actor: Actor, conflict_id: UUID, keep: UUID | None) -> StoredConflict:
        """Keep one of the two, which takes the place of the other; with None, both.

        Raises as `get`, CONFLICT when it is resolved already, and VALIDATION_ERROR for a memory that is
        neither of the two.
        """
        found = await self.get(actor, conflict_id)
        if found.status == "resolved":
            raise conflict("The conflict is resolved already.")
        if keep is None:
            await self._close(actor, conflict_id)
        elif keep in (found.memory_id, found.other_id):
            other = found.other_id if keep == found.memory_id else found.memory_id
            await self._supersede(actor, conflict_id, keep, other)
        else:
            raise invalid("keep", "That memory is neither of the two.")
        return await self.get(actor, conflict_id)

    async def _supersede(self, actor: Actor, conflict_id: UUID, keep: UUID, other: UUID) -> None:
        kept = await self._changing.owned(actor, keep)
        since = kept.valid_from or kept.observed_at
        if (await self._changing.owned(actor, other)).status != "active":
            await self._close(actor, conflict_id)
            return

        async def step(memory: Memory) -> Step:
            end = _end(memory, since)
            return Step(replace(memory, status="superseded", valid_until=end), since=end)

        async def close(connection: Connection, partition: LockedPartition, memory: Memory) -> None:
            await conflicts.supersede(connection, actor.org_id, keep, other)
            await conflicts.resolve(connection, conflict_id)

        await self._changing.change(actor, other, "memory.supersede", step, close)

    async def _close(self, actor: Actor, conflict_id: UUID) -> None:
        async with self._postgres.transaction(actor.org_id) as connection:
            if await conflicts.resolve(connection, conflict_id):
                await audit.record(connection, AuditEvent.of(actor, "memory.resolve", conflict_id))


def _end(memory: Memory, since: datetime) -> datetime:
    """When the other one begins; the start of its own interval if that is later, since it never held."""
    start = memory.valid_from
    end = since if start is None else max(start, since)
    return end if memory.valid_until is None else min(end, memory.valid_until)
