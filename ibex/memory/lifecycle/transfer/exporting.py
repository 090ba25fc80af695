"""Memories out of an organization."""

from collections.abc import AsyncIterator
from uuid import UUID

from ibex.auth import audit
from ibex.auth.actor import Actor
from ibex.auth.audit import AuditEvent
from ibex.memory.lifecycle.transfer.lines import memory_line, relation_line
from ibex.memory.repository import reads, transfer
from ibex.memory.repository.reads import Selection
from ibex.memory.repository.transfer import StoredRelation
from ibex.storage import Postgres

# Memories that are read at once: what an export keeps in memory.
_BATCH = 500


class MemoryExport:
    """Memories as lines of JSON, batch after batch; without those that are deleted or in quarantine.

    An export holds the present state of each memory, and not the versions before.
    """

    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres

    async def begin(
        self, actor: Actor, agent_id: UUID | None, user_id: str | None
    ) -> AsyncIterator[tuple[int, bytes]]:
        """Each batch with how many memories it has. That it was taken is in the audit from the start."""
        chosen = {"agent_id": str(agent_id or ""), "user_id": user_id or ""}
        async with self._postgres.transaction(actor.org_id) as connection:
            event = AuditEvent.of(
                actor,
                "memory.export",
                actor.org_id,
                **{name: value for name, value in chosen.items() if value},
            )
            await audit.record(connection, event)
        return self._batches(actor.org_id, agent_id, user_id)

    async def _batches(
        self, org_id: UUID, agent_id: UUID | None, user_id: str | None
    ) -> AsyncIterator[tuple[int, bytes]]:
        slugs = await transfer.slugs(self._postgres, org_id)
        selection = Selection(
            agent_id=agent_id, user_id=user_id, statuses=("active", "superseded", "merged", "archived")
        )
        after: UUID | None = None
        while memories := await reads.page(self._postgres, org_id, selection, after, _BATCH):
            after = memories[-1].id
            yield (
                len(memories),
                b"".join(memory_line(memory, slugs.get(memory.agent_id)) for memory in memories),
            )
        for read in (transfer.relations, transfer.contradictions):
            last: StoredRelation | None = None
            while found := await read(self._postgres, org_id, agent_id, user_id, last, _BATCH):
                last = found[-1]
                yield 0, b"".join(relation_line(relation) for relation in found)
