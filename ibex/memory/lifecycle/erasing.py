"""Deleting for good."""

from uuid import UUID

from ibex.auth import audit
from ibex.auth.actor import Actor
from ibex.auth.agents.ownership import check_owner
from ibex.auth.audit import AuditEvent
from ibex.auth.names import conflict
from ibex.ids import uuid7
from ibex.memory.lifecycle.changing import OnChanged
from ibex.memory.lifecycle.ownership import found
from ibex.memory.repository import erasure, partitions, reads
from ibex.memory.repository.erasure import Certificate, Doomed
from ibex.memory.repository.partitions import PartitionKey
from ibex.storage import Connection, Postgres

_ATTEMPTS = 5


class MemoryErasure:
    """Erases a memory with its versions, vectors, relations and feedback, and with what says the same or was
    derived from it.

    What a process remembers of the partition is read anew before its next search: the epoch has grown.

    Parameters
    ----------
    on_changed: as of `Changing`.
    """

    def __init__(self, postgres: Postgres, on_changed: OnChanged) -> None:
        self._postgres = postgres
        self._on_changed = on_changed

    async def erase(self, actor: Actor, memory_id: UUID) -> Certificate:
        """Whatever its status. Raises ACCESS_DENIED and AGENT_NOT_AUTHORIZED."""
        memory = found(await reads.find(self._postgres, actor.org_id, memory_id))
        check_owner(actor, memory.agent_id)
        for _ in range(_ATTEMPTS):
            erased = await self._erase(actor, memory_id)
            if erased is not None:
                certificate, changed = erased
                for key in changed:
                    await self._on_changed(key)
                return certificate
        raise conflict("Something is being derived from the memory all the time; try again.")

    async def _erase(self, actor: Actor, memory_id: UUID) -> tuple[Certificate, set[PartitionKey]] | None:
        """None when something was derived from it after the partitions to lock had been found."""
        async with self._postgres.transaction(actor.org_id) as connection:
            doomed = await erasure.with_derived(connection, memory_id)
            if not doomed:
                found(None)
            locked = sorted({each.partition_id for each in doomed})
            for partition_id in locked:
                await partitions.lock_by_id(connection, partition_id)
            doomed = await erasure.with_derived(connection, memory_id)
            if not {each.partition_id for each in doomed} <= set(locked):
                return None
            erased = await erasure.erase(connection, [each.id for each in doomed])
            await _count(connection, locked, doomed)
            ids = [memory_id, *sorted(each.id for each in doomed if each.id != memory_id)]
            certificate = await erasure.certify(
                connection, actor.org_id, uuid7(), memory_id, ids, actor.name, erased
            )
            await audit.record(connection, AuditEvent.of(actor, "memory.erase", memory_id, **erased))
        return certificate, {each.partition(actor.org_id) for each in doomed}


async def _count(connection: Connection, locked: list[int], doomed: list[Doomed]) -> None:
    for partition_id in locked:
        there = [each for each in doomed if each.partition_id == partition_id]
        live = sum(each.is_live for each in there)
        await erasure.begin_epoch(connection, partition_id, len(there), live)
