"""From what was decided to the rows that say so."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import count
from uuid import UUID

from ibex.memory.repository.embeddings import NewEmbedding
from ibex.memory.repository.partitions import LockedPartition
from ibex.memory.repository.rows import Changes, Closing, NewRow, Version
from ibex.memory.writing.draft import Draft
from ibex.memory.writing.settlement import Settlement

_ACTIONS = {"superseded": "memory.supersede", "merged": "memory.merge"}


def changes_of(
    partition: LockedPartition,
    drafts: Sequence[Draft],
    settlement: Settlement,
    words: Mapping[UUID, Sequence[str]],
    model: int | None,
) -> Changes:
    """The rows of drafts that are new to the partition, and of the memories that they close.

    Each change has a revision of its own, in the order of the drafts. `model` is that of the vectors.
    """
    revisions = count(partition.revision + 1)
    rows: list[NewRow] = []
    versions: list[Version] = []
    new_ids = {draft.memory.id for draft in drafts}
    for draft in drafts:
        first = replace(draft.memory, created_at=partition.now, updated_at=partition.now)
        last = settlement.as_settled(first)
        closed = settlement.closed.get(first.id)
        rows.append(NewRow(last, next(revisions), draft.content_hash, words[first.id]))
        versions.append(Version(first, first.observed_at, "memory.create"))
        if closed is not None:
            versions.append(Version(last, closed.since, _ACTIONS[closed.status]))
    closings = [
        Closing(
            each, next(revisions), closed.status, closed.valid_until, closed.since, _ACTIONS[closed.status]
        )
        for each, closed in settlement.closed.items()
        if each not in new_ids
    ]
    embedded = [(draft, row.memory) for draft, row in zip(drafts, rows, strict=True)]
    return Changes(
        rows=rows,
        versions=versions,
        closings=closings,
        relations=settlement.relations,
        broken=settlement.broken,
        conflicts=settlement.conflicts,
        claims=[(draft.memory.id, claim) for draft in drafts for claim in draft.claims],
        embeddings=[
            NewEmbedding(memory.id, memory.version, draft.vector)
            for draft, memory in embedded
            if draft.vector is not None
        ],
        model=model,
        live=sum(row.memory.status == "active" for row in rows) - settlement.no_longer_live,
    )
