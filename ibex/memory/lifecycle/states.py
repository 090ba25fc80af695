"""What can be done to a memory as a whole: pinned, archived, deleted, brought back, released."""

from collections.abc import Callable
from dataclasses import replace
from uuid import UUID

from ibex.auth.actor import Actor
from ibex.auth.names import conflict, no_access
from ibex.memory.lifecycle.changing import Changing, Step
from ibex.memory.lifecycle.rewriting import Rewriting
from ibex.memory.memory import Memory, Status
from ibex.memory.repository import reads
from ibex.storage import Postgres


class MemoryStates:
    """Each raises ACCESS_DENIED when the memory is not there, AGENT_NOT_AUTHORIZED when it is another
    agent's, and CONFLICT when its status does not allow it."""

    def __init__(self, postgres: Postgres, changing: Changing, rewriting: Rewriting) -> None:
        self._postgres = postgres
        self._changing = changing
        self._rewriting = rewriting

    async def pin(self, actor: Actor, memory_id: UUID) -> Memory:
        return await self._change(actor, memory_id, "memory.pin", lambda memory: replace(memory, pinned=True))

    async def unpin(self, actor: Actor, memory_id: UUID) -> Memory:
        return await self._change(
            actor, memory_id, "memory.unpin", lambda memory: replace(memory, pinned=False)
        )

    async def archive(self, actor: Actor, memory_id: UUID) -> Memory:
        """Out of every search, and still there."""
        return await self._move(actor, memory_id, "memory.archive", "active", "archived")

    async def unarchive(self, actor: Actor, memory_id: UUID) -> Memory:
        """Raises DUPLICATE_CONTENT too, when the text has been remembered anew meanwhile."""
        return await self._move(actor, memory_id, "memory.unarchive", "archived", "active")

    async def delete(self, actor: Actor, memory_id: UUID) -> Memory:
        """As if it were not there, until it is restored."""
        return await self._change(
            actor, memory_id, "memory.delete", lambda memory: replace(memory, status="deleted")
        )

    async def restore(self, actor: Actor, memory_id: UUID) -> Memory:
        """What was deleted, in the state that it had before. Raises as `unarchive`."""

        async def step(memory: Memory) -> Step:
            if memory.status != "deleted":
                raise conflict(f"The memory is {memory.status}; only one that is deleted can be restored.")
            before = await reads.last_status_but(self._postgres, actor.org_id, memory_id, "deleted")
            status: Status = "active" if before is None else before.status
            return await self._back(actor, replace(memory, status=status))

        return await self._changing.change(actor, memory_id, "memory.restore", step)

    async def release(self, actor: Actor, memory_id: UUID) -> Memory:
        """From quarantine: somebody has looked at it, and it may be found."""
        return await self._move(actor, memory_id, "memory.release", "quarantined", "active")

    async def reject(self, actor: Actor, memory_id: UUID) -> Memory:
        """Delete what is in quarantine."""
        return await self._move(actor, memory_id, "memory.reject", "quarantined", "deleted")

    async def _move(
        self, actor: Actor, memory_id: UUID, action: str, source: Status, target: Status
    ) -> Memory:
        def moved(memory: Memory) -> Memory:
            if memory.status not in (source, target):
                raise conflict(f"The memory is {memory.status}, not {source}.")
            return replace(memory, status=target)

        return await self._change(actor, memory_id, action, moved)

    async def _change(
        self, actor: Actor, memory_id: UUID, action: str, change: Callable[[Memory], Memory]
    ) -> Memory:
        async def step(memory: Memory) -> Step:
            if memory.status == "deleted":
                raise no_access("memory")
            changed = change(memory)
            if changed.status == memory.status:
                return Step(changed)
            return await self._back(actor, changed)

        return await self._changing.change(actor, memory_id, action, step)

    async def _back(self, actor: Actor, memory: Memory) -> Step:
        """A memory of another status; one that statements are compared with again is settled anew."""
        if memory.status not in ("active", "superseded"):
            return Step(memory)
        draft = await self._rewriting.redrafted(actor.org_id, memory)
        return Step(draft.memory, draft=draft)
