"""The last stages, under the lock of a partition: exact and near duplicates, conflicts, one transaction."""

from collections.abc import Sequence
from uuid import UUID

from ibex.auth import audit
from ibex.auth.actor import Actor
from ibex.auth.audit import AuditEvent
from ibex.errors import IbexError
from ibex.memory.memory import Memory
from ibex.memory.repository import partitions, writes
from ibex.memory.repository.partitions import LockedPartition, PartitionKey
from ibex.memory.retrieval.tokenizer import Tokenizer
from ibex.memory.writing.changes import changes_of
from ibex.memory.writing.draft import Draft
from ibex.memory.writing.events import tell_of_conflicts, tell_of_quarantine
from ibex.memory.writing.rivals import rivals
from ibex.memory.writing.settlement import Settled, Settlement
from ibex.memory.writing.stems import stems
from ibex.memory.writing.vectors import Vectors
from ibex.memory.writing.written import Written, duplicate
from ibex.storage import Connection, Postgres


class Store:
    """Stores drafts of one partition as if one came after the other; all of them, or none."""

    def __init__(self, postgres: Postgres, vectors: Vectors, tokenizer: Tokenizer) -> None:
        self._postgres = postgres
        self._vectors = vectors
        self._tokenizer = tokenizer

    async def store(
        self, actor: Actor, key: PartitionKey, drafts: Sequence[Draft]
    ) -> list[Written | IbexError]:
        """An answer to each draft; DUPLICATE_CONTENT where its text is there by now."""
        model = await self._vectors.model_id()
        words = {each.memory.id: stems(self._tokenizer, each.memory) for each in drafts}
        async with self._postgres.transaction(key.org_id) as connection:
            partition = await partitions.lock(connection, key)
            active = [each for each in drafts if each.is_active]
            settlement = Settlement(await rivals(connection, partition, model, active))
            taken = await _taken(connection, partition, drafts)
            answers: dict[UUID, Written | IbexError] = {}
            settled: dict[UUID, Settled] = {}
            new: list[Draft] = []
            for draft in drafts:
                holder = taken.get(draft.content_hash)
                if holder is not None and holder not in settlement.closed:
                    answers[draft.memory.id] = duplicate(holder)
                    continue
                taken[draft.content_hash] = draft.memory.id
                new.append(draft)
                if draft.is_active:
                    settled[draft.memory.id] = settlement.settle(draft)
            if new:
                changes = changes_of(partition, new, settlement, words, model)
                async with connection.pipeline():
                    await writes.apply(connection, key.org_id, partition.id, actor.name, changes)
                    await _tell(connection, key.org_id, new, settlement)
                    await audit.record(connection, _event(actor, new))
                for draft, row in zip(new, changes.rows, strict=True):
                    answers[draft.memory.id] = _written(draft, row.memory, settled.get(draft.memory.id))
        return [answers[each.memory.id] for each in drafts]


async def _taken(
    connection: Connection, partition: LockedPartition, drafts: Sequence[Draft]
) -> dict[bytes, UUID]:
    """Which of the drafts' texts the partition has, and the memories that have them."""
    present = await writes.present_now(connection, partition.id, [each.content_hash for each in drafts])
    return {each.content_hash: each.id for each in present}


def _written(draft: Draft, memory: Memory, settled: Settled | None) -> Written:
    if settled is None:
        return Written("quarantined", memory, draft.findings)
    return Written("created", memory, draft.findings, settled.superseded, settled.conflicts)


async def _tell(connection: Connection, org_id: UUID, new: Sequence[Draft], settlement: Settlement) -> None:
    agent_id = new[0].memory.agent_id
    quarantined = [each.memory.id for each in new if not each.is_active]
    await tell_of_quarantine(connection, org_id, agent_id, quarantined)
    conflicts = [(each.memory_id, each.other_id) for each in settlement.conflicts]
    await tell_of_conflicts(connection, org_id, agent_id, conflicts)


def _event(actor: Actor, drafts: Sequence[Draft]) -> AuditEvent:
    """One event however many they are; never what they say."""
    first = drafts[0].memory
    if len(drafts) == 1:
        return AuditEvent.of(actor, "memory.create", first.id, status=first.status)
    quarantined = sum(not each.is_active for each in drafts)
    return AuditEvent.of(actor, "memory.create", first.agent_id, count=len(drafts), quarantined=quarantined)
