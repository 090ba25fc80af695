"""What an organization may want to hear of its memories, told in the transaction of its cause."""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from ibex import outbox
from ibex.ids import uuid7
from ibex.outbox import Event
from ibex.storage import Connection

# An import or a revert may concern a thousand; of more than these the number is told, and not which.
_MOST_NAMED = 100


async def tell_of_quarantine(
    connection: Connection, org_id: UUID, agent_id: UUID, memory_ids: Sequence[UUID]
) -> None:
    """Once, of all memories that one change has put into quarantine; never what they say."""
    if memory_ids:
        data = {
            "agent_id": agent_id,
            "count": len(memory_ids),
            "memory_ids": list(memory_ids[:_MOST_NAMED]),
        }
        event = Event(org_id, uuid7(), "memory.quarantined", datetime.now(UTC), data)
        await outbox.emit(connection, event)


async def tell_of_conflicts(
    connection: Connection, org_id: UUID, agent_id: UUID, pairs: Sequence[tuple[UUID, UUID]]
) -> None:
    """Once, of all conflicts that one change has opened.

    `pairs` are memories that contradict each other, the later one first.
    """
    if pairs:
        named = [{"memory_id": one, "other_id": other} for one, other in pairs[:_MOST_NAMED]]
        data = {"agent_id": agent_id, "count": len(pairs), "conflicts": named}
        await outbox.emit(connection, Event(org_id, uuid7(), "memory.conflict", datetime.now(UTC), data))
