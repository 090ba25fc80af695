"""Changes of one memory: each is a new version of it, audited, in one transaction."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from ibex.auth import audit
from ibex.auth.actor import Actor
from ibex.auth.agents.ownership import check_owner
from ibex.auth.audit import AuditEvent
from ibex.auth.names import conflict, no_access
from ibex.ids import uuid7
from ibex.memory.lifecycle.ownership import found
from ibex.memory.memory import Memory
from ibex.memory.repository import changes, conflicts, partitions, reads, writes
from ibex.memory.repository.changes import NewVersion
from ibex.memory.repository.partitions import LockedPartition, PartitionKey
from ibex.memory.retrieval.tokenizer import Tokenizer
from ibex.memory.writing.draft import Draft
from ibex.memory.writing.events import tell_of_conflicts, tell_of_quarantine
from ibex.memory.writing.resettling import resettle
from ibex.memory.writing.stems import stems
from ibex.memory.writing.vectors import Vectors
from ibex.memory.writing.written import duplicate
from ibex.storage import Connection, Postgres

OnChanged = Callable[[PartitionKey], Awaitable[None]]

# Whoever changes a memory that others change all the time gives up after so many of them.
_ATTEMPTS = 5
_UNIQUE = ("active", "quarantined")
_REOPENED = "The older one was brought back after the newer one had taken its place."


@dataclass(frozen=True, slots=True)
class Step:
    """What a memory is to become.

    Parameters
    ----------
    memory: with the version that it had.
    since: from when it says how things were; None is from now on.
    draft: of the memory, when it is to be settled anew; None when nothing changes for others.
    is_restated: whether the draft says something else than what is stored, or of another time.
    insists: whether it is to hold whatever has taken its place, and whatever contradicts it.
    """

    memory: Memory
    since: datetime | None = None
    draft: Draft | None = None
    is_restated: bool = False
    insists: bool = False


class Changing:
    """Makes a change of a memory under the lock of its partition.

    Parameters
    ----------
    on_changed: told, after the commit, of every partition that has changed; it must not raise.
    """

    def __init__(
        self, postgres: Postgres, vectors: Vectors, tokenizer: Tokenizer, on_changed: OnChanged
    ) -> None:
        self._postgres = postgres
        self._vectors = vectors
        self._tokenizer = tokenizer
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
        model = await self._vectors.model_id()
        async with self._postgres.transaction(actor.org_id) as connection:
            partition = await partitions.lock_by_id(connection, place.partition_id)
            current = found(await changes.current(connection, seen.id))
            if partition is None or current.version != seen.version:
                return None
            draft = wanted.draft
            content_hash = (draft and draft.content_hash) or await changes.hash_of(connection, seen.id)
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
            words = stems(self._tokenizer, memory) if wanted.is_restated else None
            revision = partition.revision + 1
            version = NewVersion(memory, revision, content_hash, words, action, wanted.since)
            await changes.apply(connection, actor.name, version)
            if memory.labels != seen.labels:
                await changes.replace_labels(connection, actor.org_id, memory)
            live = (memory.status == "active") - (seen.status == "active")
            await partitions.advance(connection, partition.id, 1, live)
            if draft is not None:
                now = replace(partition, revision=revision)
                await self._settle(connection, now, actor, model, wanted, replace(draft, memory=memory))
                memory = found(await changes.current(connection, memory.id))
            if memory.status == "quarantined" != seen.status:
                await tell_of_quarantine(connection, actor.org_id, memory.agent_id, [memory.id])
            if also is not None:
                await also(connection, partition, memory)
            await audit.record(connection, AuditEvent.of(actor, action, memory.id, version=memory.version))
        return memory

    async def _settle(
        self,
        connection: Connection,
        partition: LockedPartition,
        actor: Actor,
        model: int | None,
        wanted: Step,
        draft: Draft,
    ) -> None:
        reopened: list[UUID] = []
        if wanted.insists and draft.is_active:
            reopened = await changes.reopen(connection, draft.memory.id)
        await resettle(
            connection,
            partition,
            actor.name,
            model,
            [draft],
            is_restated=wanted.is_restated,
            insists=wanted.insists,
            apart=reopened,
        )
        new = draft.memory
        for other in reopened:
            await conflicts.open_between(connection, actor.org_id, uuid7(), other, new.id, _REOPENED)
        await tell_of_conflicts(connection, actor.org_id, new.agent_id, [(each, new.id) for each in reopened])


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
