"""Changes of one memory: each is a new version of it, audited, in one transaction."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from ibex.auth import audit
from ibex.auth.actor import Actor
from ibex.auth.audit import AuditEvent
from ibex.auth.names import conflict, no_access
from ibex.memory.lifecycle.ownership import check_owner, found
from ibex.memory.memory import Memory
from ibex.memory.repository import changes, partitions, reads, writes
from ibex.memory.repository.changes import NewText, NewVersion
from ibex.memory.repository.partitions import LockedPartition, PartitionKey
from ibex.memory.writing.written import duplicate
from ibex.storage import Connection, Postgres

OnChanged = Callable[[PartitionKey], Awaitable[None]]

# Whoever changes a memory that others change all the time gives up after so many of them.
_ATTEMPTS = 5
_UNIQUE = ("active", "quarantined")


@dataclass(frozen=True, slots=True)
class Step:
    """What a memory is to become.

    Parameters
    ----------
    memory: with the version that it had.
    content_hash: None when it stays.
    text: None when it stays.
    since: from when it says how things were; None is from now on.
    """

    memory: Memory
    content_hash: bytes | None = None
    text: NewText | None = None
    since: datetime | None = None


class Changing:
    """Makes a change of a memory under the lock of its partition.

    Parameters
    ----------
    on_changed: told, after the commit, of every partition that has changed; it must not raise.
    """

    def __init__(self, postgres: Postgres, on_changed: OnChanged) -> None:
        self._postgres = postgres
        self._on_changed = on_changed

    async def change(
        self,
        actor: Actor,
        memory_id: UUID,
        action: str,
        step: Callable[[Memory], Awaitable[Step]],
        also: Callable[[Connection, LockedPartition, Memory], Awaitable[None]] | None = None,
    ) -> Memory:
        """Make the change that `step` decides on, of the state that it was shown; what came of it.

        When it wants nothing changed, nothing is written. `also` is done in the same transaction.
        Raises ACCESS_DENIED, AGENT_NOT_AUTHORIZED, DUPLICATE_CONTENT and CONFLICT.
        """
        for _ in range(_ATTEMPTS):
            seen = await self.owned(actor, memory_id)
            wanted = await step(seen)
            if wanted.memory == seen:
                return seen
            changed = await self._write(actor, seen, wanted, action, also)
            if changed is not None:
                await self._on_changed(partition_of(actor.org_id, changed))
                return changed
        raise conflict("The memory is being changed by others all the time; try again.")

    async def owned(self, actor: Actor, memory_id: UUID) -> Memory:
        """The memory as it is, whatever its status. Raises ACCESS_DENIED and AGENT_NOT_AUTHORIZED."""
        memory = found(await reads.find(self._postgres, actor.org_id, memory_id))
        check_owner(actor, memory.agent_id)
        return memory

    async def _write(
        self,
        actor: Actor,
        seen: Memory,
        wanted: Step,
        action: str,
        also: Callable[[Connection, LockedPartition, Memory], Awaitable[None]] | None,
    ) -> Memory | None:
        """None when somebody else has changed it meanwhile."""
        place = await changes.place(self._postgres, actor.org_id, seen.id)
        if place is None:
            raise no_access("memory")
        async with self._postgres.transaction(actor.org_id) as connection:
            partition = await partitions.lock_by_id(connection, place.partition_id)
            current = found(await changes.current(connection, seen.id))
            if partition is None or current.version != seen.version:
                return None
            content_hash = wanted.content_hash or await changes.hash_of(connection, seen.id)
            await _check_unique(connection, partition, wanted.memory, content_hash)
            memory = replace(
                wanted.memory,
                version=seen.version + 1,
                # Feedback and use change a memory without a new version of it.
                helpful=current.helpful,
                unhelpful=current.unhelpful,
                uses=current.uses,
                last_used_at=current.last_used_at,
                updated_at=partition.now,
            )
            live = (memory.status == "active") - (seen.status == "active")
            revision = partition.revision + 1
            version = NewVersion(memory, revision, content_hash, wanted.text, action, wanted.since)
            await changes.apply(connection, actor.org_id, partition.id, actor.name, version)
            if memory.labels != seen.labels:
                await changes.replace_labels(connection, actor.org_id, memory)
            await partitions.advance(connection, partition.id, 1, live)
            if also is not None:
                await also(connection, partition, memory)
            await audit.record(connection, AuditEvent.of(actor, action, memory.id, version=memory.version))
        return memory


def partition_of(org_id: UUID, memory: Memory) -> PartitionKey:
    agent_id = None if memory.visibility == "org" else memory.agent_id
    return PartitionKey(org_id, agent_id, memory.user_id)


async def _check_unique(
    connection: Connection, partition: LockedPartition, memory: Memory, content_hash: bytes
) -> None:
    """Raises DUPLICATE_CONTENT when another live memory has the text."""
    if memory.status not in _UNIQUE:
        return
    for other in await writes.present_now(connection, partition.id, [content_hash]):
        if other.id != memory.id:
            raise duplicate(other.id)
