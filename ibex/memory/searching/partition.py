"""A partition as this process remembers it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from sys import getsizeof
from typing import Self
from uuid import UUID

from ibex.memory.repository.index_rows import IndexRow, vectors
from ibex.memory.retrieval.index import Index
from ibex.memory.retrieval.record import Record

# Measured with tracemalloc on turns of conversations: what a memory takes beside its text, terms and vector.
_BYTES_PER_MEMORY = 620
# An empty set of one's own takes 216 bytes.
_NO_TAGS: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, repr=False)
class IndexedPartition:
    """An index, what else filters ask for, and the state of the partition that all of it shows at least.

    Parameters
    ----------
    private: memories that only their session sees.
    labels: of those memories that have any.
    size: bytes it takes, roughly.
    """

    index: Index
    private: frozenset[UUID]
    labels: Mapping[UUID, frozenset[str]]
    revision: int
    epoch: int
    size: int

    @classmethod
    def of(cls, rows: Sequence[IndexRow], nothing: Index, revision: int = 0, epoch: int = 0) -> Self:
        """Made of the live rows of a partition, or of a few that were chosen.

        Parameters
        ----------
        nothing: an index without memories. All that begin with the same one share what its tokeniser has
            learned, which halves the time that takes.
        """
        return cls(nothing, frozenset(), {}, revision, epoch, 0).updated(rows, revision)

    def shows(self, revision: int, epoch: int) -> bool:
        """Whether nothing that was committed up to then is missing, and nothing is left that was erased."""
        return (self.epoch, self.revision) >= (epoch, revision)

    def updated(self, rows: Sequence[IndexRow], revision: int) -> Self:
        """After some rows have changed; whether a memory is live says whether it comes or goes.

        What has been seen of a revision is all of it, since the writes of a partition commit in order.
        """
        live = [row for row in rows if row.status == "active"]
        changed = {row.id for row in rows}
        index = self.index.updated(records(live), changed)
        labels = {id_: names for id_, names in self.labels.items() if id_ not in changed}
        labels |= {row.id: frozenset(row.labels) for row in live if row.labels}
        return type(self)(
            index=index,
            private=(self.private - changed) | {row.id for row in live if row.visibility == "session"},
            labels=labels,
            revision=max([self.revision, revision, *(row.revision for row in rows)]),
            epoch=self.epoch,
            size=_size(index),
        )


def records(rows: Sequence[IndexRow]) -> list[Record]:
    """What retrieval knows of each row. Equal texts in them are the same object."""
    shared: dict[str, str] = {}

    def once(text: str) -> str:
        return shared.setdefault(text, text)

    return [
        Record(
            id=row.id,
            revision=row.revision,
            text=row.content,
            session_id=None if row.session_id is None else once(row.session_id),
            speaker=None if row.speaker is None else once(row.speaker),
            observed_at=row.observed_at,
            kind=once(row.kind),
            confidence=row.confidence,
            pinned=row.pinned,
            usefulness=row.helpful / (row.helpful + row.unhelpful),
            uses=row.uses,
            tags=frozenset(row.tags) if row.tags else _NO_TAGS,
            embedding=vector,
        )
        for row, vector in zip(rows, vectors(rows), strict=True)
    ]


def _size(index: Index) -> int:
    texts = sum(getsizeof(record.text) for record in index.records if record is not None)
    return len(index.records) * _BYTES_PER_MEMORY + texts + index.vectors.nbytes + index.postings.nbytes
