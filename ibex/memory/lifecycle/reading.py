"""Reading memories, as they are and as they were."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from ibex.auth.actor import Actor
from ibex.auth.agents.ownership import check_owner
from ibex.auth.names import beyond, no_access
from ibex.auth.permissions import Permission, permission_labels
from ibex.memory.lifecycle.ownership import check_reader, found
from ibex.memory.memory import Memory, Status
from ibex.memory.repository import reads
from ibex.memory.repository.reads import Selection, StoredVersion
from ibex.storage import Postgres

# What it takes to list memories that are hidden from everybody else.
_NEEDED: Mapping[Status, Permission] = {
    "deleted": Permission.MEMORY_DELETE,
    "quarantined": Permission.ORGANIZATION_SETTINGS,
}


class MemoryReader:
    """One organization's memories at a time."""

    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres

    async def get(self, actor: Actor, memory_id: UUID, as_of: datetime | None = None) -> Memory:
        """One memory, or the version of it at some time.

        Raises ACCESS_DENIED when it is not there, was deleted, had not been observed by then, or is
        quarantined and the actor is not one to look at it; AGENT_NOT_AUTHORIZED when it is another agent's.
        """
        memory = await self.existing(actor, memory_id)
        if as_of is None:
            return memory
        return found(await reads.find_as_of(self._postgres, actor.org_id, memory_id, as_of))

    async def existing(self, actor: Actor, memory_id: UUID) -> Memory:
        """As `get`, as it is now."""
        memory = found(await reads.find(self._postgres, actor.org_id, memory_id))
        check_reader(actor, memory)
        if memory.status == "deleted" or (
            memory.status == "quarantined" and not actor.may(Permission.ORGANIZATION_SETTINGS)
        ):
            raise no_access("memory")
        return memory

    async def page(self, actor: Actor, selection: Selection, after: UUID | None, limit: int) -> list[Memory]:
        """Memories after another. Raises INSUFFICIENT_PERMISSIONS for a status that not everybody sees."""
        for status in selection.statuses:
            needed = _NEEDED.get(status)
            if needed is not None and not actor.may(needed):
                raise beyond(
                    f"Memories that are {status} are not for everybody to see.",
                    f"Missing: {', '.join(permission_labels(needed))}.",
                )
        return await reads.page(self._postgres, actor.org_id, selection, after, limit)

    async def history(self, actor: Actor, memory_id: UUID, after: int, limit: int) -> list[StoredVersion]:
        """Versions above a number, the oldest first. Raises as `get`."""
        await self.existing(actor, memory_id)
        return await reads.history(self._postgres, actor.org_id, memory_id, after, limit)

    async def told(
        self, actor: Actor, agent_id: UUID, memory_ids: Sequence[UUID], at: datetime
    ) -> dict[UUID, str]:
        """What memories said when an agent was told of them.

        Nothing of those that were deleted since, or are in quarantine. Raises AGENT_NOT_AUTHORIZED.
        """
        check_owner(actor, agent_id)
        return await reads.texts_at(self._postgres, actor.org_id, memory_ids, at)
