"""Some imported memories, on their way into the database."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import UUID

from ibex.auth import audit
from ibex.auth.actor import Actor
from ibex.auth.audit import AuditEvent
from ibex.auth.names import no_access
from ibex.memory.lifecycle.changing import OnChanged
from ibex.memory.lifecycle.posterior import Posterior
from ibex.memory.lifecycle.transfer.lines import MemoryLine
from ibex.memory.memory import Memory, NewMemory, Scope
from ibex.memory.repository import choices, transfer, writes
from ibex.memory.repository.embeddings import NewEmbedding
from ibex.memory.repository.partitions import LockedPartition, PartitionKey
from ibex.memory.repository.rows import Changes, NewRow, Version
from ibex.memory.retrieval.tokenizer import Tokenizer
from ibex.memory.writing.detection import PiiAction, Policy
from ibex.memory.writing.draft import Draft, drafted
from ibex.memory.writing.events import tell_of_quarantine
from ibex.memory.writing.stems import stems
from ibex.memory.writing.validation import check_scope
from ibex.memory.writing.vectors import Vectors
from ibex.storage import Connection, Postgres

_CLOSED = {"superseded": "memory.supersede", "merged": "memory.merge", "archived": "memory.archive"}


@dataclass(frozen=True, slots=True)
class Prepared:
    """A line that has passed the checks; `draft.memory` has its id, its state and its feedback."""

    draft: Draft


@dataclass(frozen=True, slots=True)
class Stored:
    """How many memories were not there yet, and in which partitions they are."""

    memories: int
    partitions: set[PartitionKey]


class ImportBatch:
    """Checks lines, and stores those that are not there yet.

    Nothing is settled anew: which statements have taken the place of which is said by the export.
    """

    def __init__(
        self, postgres: Postgres, vectors: Vectors, tokenizer: Tokenizer, on_changed: OnChanged
    ) -> None:
        self._postgres = postgres
        self._vectors = vectors
        self._tokenizer = tokenizer
        self._on_changed = on_changed

    async def policy(self, actor: Actor, agent_id: UUID) -> Policy:
        """What is done with what the memories of an agent say. Raises ACCESS_DENIED."""
        pii = await choices.pii_action(self._postgres, actor.org_id, agent_id)
        if pii is None:
            raise no_access("agent")
        return Policy(pii=PiiAction(pii))

    async def prepare(self, actor: Actor, line: MemoryLine, agent_id: UUID, policy: Policy) -> Prepared:
        """Raises VALIDATION_ERROR."""
        scope = Scope(actor.org_id, agent_id, line.user_id, line.session_id)
        check_scope(scope)
        draft = await asyncio.to_thread(_draft, scope, line.new_memory(), policy)
        feedback = Posterior(line.helpful, line.unhelpful).bounded()
        memory = replace(
            draft.memory,
            id=line.id or draft.memory.id,
            status=line.status if draft.is_active else "quarantined",
            helpful=feedback.helpful,
            unhelpful=feedback.unhelpful,
            uses=line.uses,
            last_used_at=line.last_used_at,
        )
        return Prepared(replace(draft, memory=memory))

    async def store(self, actor: Actor, prepared: Sequence[Prepared]) -> Stored:
        """Store what is not there yet, all of it in one transaction."""
        model = await self._vectors.model_id()
        by_partition: dict[PartitionKey, list[Draft]] = {}
        for draft in await self._vectors.embedded([each.draft for each in prepared]):
            by_partition.setdefault(draft.partition, []).append(draft)
        changed: set[PartitionKey] = set()
        of_agents: Counter[UUID] = Counter()
        async with self._postgres.transaction(actor.org_id) as connection:
            locked = await transfer.lock_all(connection, actor.org_id, list(by_partition))
            for key, partition in locked.items():
                new = await _absent(connection, partition, by_partition[key])
                if not new:
                    continue
                async with connection.pipeline():
                    changes = self._changes(partition, new, model)
                    await writes.apply(connection, actor.org_id, partition.id, actor.name, changes)
                    quarantined = [each.memory.id for each in new if each.memory.status == "quarantined"]
                    agent_id = new[0].memory.agent_id
                    await tell_of_quarantine(connection, actor.org_id, agent_id, quarantined)
                changed.add(key)
                of_agents.update(draft.memory.agent_id for draft in new)
            for agent_id, count in of_agents.items():
                await audit.record(connection, AuditEvent.of(actor, "memory.import", agent_id, count=count))
        return Stored(of_agents.total(), changed)

    async def tell(self, changed: set[PartitionKey]) -> None:
        """Tell of partitions that have changed, and forget that they have."""
        while changed:
            await self._on_changed(changed.pop())

    def _changes(self, partition: LockedPartition, drafts: Sequence[Draft], model: int | None) -> Changes:
        rows, versions = [], []
        for revision, draft in enumerate(drafts, start=partition.revision + 1):
            first, last = _versions(draft.memory)
            rows.append(NewRow(last, revision, draft.content_hash, stems(self._tokenizer, last)))
            versions.append(Version(first, first.observed_at, "memory.import"))
            if last is not first:
                since = last.valid_until if last.status == "superseded" else None
                versions.append(Version(last, since or partition.now, _CLOSED[last.status]))
        return Changes(
            rows=rows,
            versions=versions,
            closings=(),
            absorptions=(),
            relations=(),
            broken=(),
            conflicts=(),
            claims=[(draft.memory.id, claim) for draft in drafts for claim in draft.claims],
            embeddings=[
                NewEmbedding(row.memory.id, row.memory.version, draft.vector)
                for row, draft in zip(rows, drafts, strict=True)
                if draft.vector is not None
            ],
            model=model,
            live=sum(draft.is_active for draft in drafts),
        )


def _draft(scope: Scope, new: NewMemory, policy: Policy) -> Draft:
    """An interval that the text itself names counts as not given, as it did when the memory was written."""
    now = datetime.now(UTC)
    given = drafted(scope, new, policy, now)
    if new.valid_from is None and new.valid_until is None:
        return given
    said = drafted(scope, replace(new, valid_from=None, valid_until=None), policy, now)
    interval = (given.memory.valid_from, given.memory.valid_until)
    return said if (said.memory.valid_from, said.memory.valid_until) == interval else given


def _versions(memory: Memory) -> tuple[Memory, Memory]:
    """A memory when it was live, and as it is; the same one if it is live still."""
    if memory.status not in _CLOSED:
        return memory, memory
    until = None if memory.status == "superseded" else memory.valid_until
    return replace(memory, status="active", valid_until=until), replace(memory, version=2)


async def _absent(connection: Connection, partition: LockedPartition, drafts: Sequence[Draft]) -> list[Draft]:
    """Those whose id is nowhere in the organization, and whose text is not live in the partition."""
    ids = await transfer.existing(connection, [draft.memory.id for draft in drafts])
    hashes = [draft.content_hash for draft in drafts]
    live = {each.content_hash for each in await writes.present_now(connection, partition.id, hashes)}
    absent = []
    for draft in drafts:
        is_unique = draft.memory.status in ("active", "quarantined")
        if draft.memory.id in ids or (is_unique and draft.content_hash in live):
            continue
        ids.add(draft.memory.id)
        if is_unique:
            live.add(draft.content_hash)
        absent.append(draft)
    return absent
