"""From what was decided to the rows that say so."""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count
from uuid import UUID

from ibex.memory.memory import Memory
from ibex.memory.repository.embeddings import NewEmbedding
from ibex.memory.repository.partitions import LockedPartition
from ibex.memory.repository.rows import Absorption, Changes, Closing, NewRow, Version
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
    closings, absorptions = _of_others(settlement, revisions, new_ids)
    return Changes(
        rows=rows,
        versions=versions,
        closings=closings,
        absorptions=absorptions,
        relations=settlement.relations,
        broken=settlement.broken,
        conflicts=settlement.conflicts,
        claims=_claims(drafts),
        embeddings=_embeddings((draft, row.memory) for draft, row in zip(drafts, rows, strict=True)),
        model=model,
        live=sum(draft.is_active for draft in drafts) - settlement.no_longer_live,
    )


def consequences_of(
    partition: LockedPartition, settlement: Settlement, drafts: Sequence[Draft], model: int | None
) -> Changes:
    """What the settlement of drafts of memories that are there changes, of them and of others."""
    closings, absorptions = _of_others(settlement, count(partition.revision + 1), ())
    return Changes(
        rows=(),
        versions=(),
        closings=closings,
        absorptions=absorptions,
        relations=settlement.relations,
        broken=settlement.broken,
        conflicts=settlement.conflicts,
        claims=_claims(drafts),
        embeddings=_embeddings((draft, draft.memory) for draft in drafts),
        model=model,
        live=-settlement.no_longer_live,
    )


def _claims(drafts: Sequence[Draft]) -> list[tuple[UUID, bytes]]:
    return [(draft.memory.id, claim) for draft in drafts for claim in draft.claims]


def _embeddings(drafts: Iterable[tuple[Draft, Memory]]) -> list[NewEmbedding]:
    """Of drafts, and the memories as they are stored."""
    return [
        NewEmbedding(memory.id, memory.version, draft.vector)
        for draft, memory in drafts
        if draft.vector is not None
    ]


def _of_others(
    settlement: Settlement, revisions: Iterator[int], new: Container[UUID]
) -> tuple[list[Closing], list[Absorption]]:
    """What changes of memories that were there, each with a revision of its own."""
    closings = [
        Closing(
            each, next(revisions), closed.status, closed.valid_until, closed.since, _ACTIONS[closed.status]
        )
        for each, closed in settlement.closed.items()
        if each not in new
    ]
    absorptions = [
        Absorption(
            each,
            next(revisions),
            pinned=stays.pinned,
            helpful=stays.helpful,
            unhelpful=stays.unhelpful,
            uses=stays.uses,
            last_used_at=stays.last_used_at,
        )
        for each, stays in settlement.absorbed.items()
        if each not in new
    ]
    return closings, absorptions
