"""Feedback on memories."""

from dataclasses import replace
from uuid import UUID

from ibex.auth import audit
from ibex.auth.actor import Actor
from ibex.auth.audit import AuditEvent
from ibex.auth.names import invalid, no_access
from ibex.ids import uuid7
from ibex.memory.lifecycle.changing import OnChanged, partition_of
from ibex.memory.lifecycle.ownership import check_reader, found
from ibex.memory.lifecycle.posterior import Posterior, Signal
from ibex.memory.memory import Memory
from ibex.memory.repository import changes, feedback, partitions, reads
from ibex.storage import Postgres

_SOURCE = 63


class MemoryFeedback:
    """Moves the usefulness of a memory, which ranks it among others.

    Parameters
    ----------
    on_changed: as of `Changing`.
    """

    def __init__(self, postgres: Postgres, on_changed: OnChanged) -> None:
        self._postgres = postgres
        self._on_changed = on_changed

    async def give(
        self, actor: Actor, memory_id: UUID, signal: Signal, weight: float = 1.0, source: str = "api"
    ) -> Memory:
        """The memory after it. Raises VALIDATION_ERROR, ACCESS_DENIED and AGENT_NOT_AUTHORIZED."""
        if not 0 < weight <= 1:
            raise invalid("weight", "A weight is above 0 and at most 1.")
        if not 1 <= len(source) <= _SOURCE or not source.isprintable():
            raise invalid("source", f"A source has 1 to {_SOURCE} characters that can be printed.")
        memory = found(await reads.find(self._postgres, actor.org_id, memory_id))
        check_reader(actor, memory)
        place = await changes.place(self._postgres, actor.org_id, memory_id)
        if place is None or memory.status in ("deleted", "quarantined"):
            raise no_access("memory")
        async with self._postgres.transaction(actor.org_id) as connection:
            partition = await partitions.lock_by_id(connection, place.partition_id)
            memory = found(await changes.current(connection, memory_id))
            if partition is None:
                raise no_access("memory")
            after = Posterior(memory.helpful, memory.unhelpful).after(signal, weight)
            await feedback.insert(
                connection, actor.org_id, uuid7(), memory_id, signal, weight, source, actor.name
            )
            await changes.set_feedback(
                connection, memory_id, partition.revision + 1, after.helpful, after.unhelpful
            )
            await partitions.advance(connection, partition.id, 1, 0)
            await audit.record(connection, AuditEvent.of(actor, "memory.feedback", memory_id, signal=signal))
        await self._on_changed(partition_of(actor.org_id, memory))
        return replace(memory, helpful=after.helpful, unhelpful=after.unhelpful)
