"""The memories of one partition, made ready to be searched."""

from bisect import insort
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Self
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from ibex.memory.retrieval.columns import Columns
from ibex.memory.retrieval.postings import Postings
from ibex.memory.retrieval.record import Record
from ibex.memory.retrieval.sequence import NEIGHBOURS, Sequence
from ibex.memory.retrieval.speaker import speaker_of
from ibex.memory.retrieval.tokenizer import Terms, Tokenizer
from ibex.memory.retrieval.vectors import Vectors

# A removed memory leaves an empty slot; once most slots are empty (and there are enough of them to matter)
# starting over is cheaper than carrying them along.
_EMPTY_SLOTS_TOLERATED = 64
# So many rows of vectors are summed at a time: the working set then stays within the processor's cache.
_BLOCK = 1_024


@dataclass(frozen=True, slots=True, repr=False)
class Occurrences:
    """The positions of the memories that have a term, and how often each has it; arrays of shape (n,)."""

    positions: NDArray[np.int64]
    counts: NDArray[np.uint16]


@dataclass(frozen=True, slots=True, repr=False)
class Index:
    """An immutable snapshot; `updated` gives the next one and shares with it what did not change.

    A slot is the place of one memory in all the arrays. Slots are given out in the order of arrival and
    never given out twice.

    Parameters
    ----------
    records: by slot, without their vectors, which are in `vectors`; None for one that was removed.
    speakers: the words of each speaker's name, to the number by which `columns.speaker` refers to it.
    norms: float32; by slot, the length of the vector of a memory together with its neighbours.
    """

    records: list[Record | None]
    slot_of: dict[UUID, int]
    sessions: dict[str | UUID, list[int]]
    sequence: Sequence
    postings: Postings
    speakers: dict[frozenset[str], int]
    columns: Columns
    vectors: Vectors
    norms: NDArray[np.float32]
    tokenizer: Tokenizer

    @classmethod
    def of(cls, records: Iterable[Record]) -> Self:
        """Raises ValueError when embeddings differ in length."""
        return cls._empty(Tokenizer()).updated(records, ())

    @classmethod
    def _empty(cls, tokenizer: Tokenizer) -> Self:
        nothing = Columns.of([], [], [])
        norms = np.zeros(0, np.float32)
        return cls(
            records=[],
            slot_of={},
            sessions={},
            sequence=Sequence.of([], 0),
            postings=Postings.empty(),
            speakers={},
            columns=nothing,
            vectors=Vectors.empty(),
            norms=norms,
            tokenizer=tokenizer,
        )

    def __len__(self) -> int:
        return len(self.slot_of)

    def at(self, position: int) -> Record:
        """The memory at this position of `sequence`."""
        return _live(self.records, int(self.sequence.slots[position]))

    def occurrences(self, terms: Iterable[str]) -> dict[str, Occurrences]:
        """Where each term occurs. Terms that do not are left out."""
        terms = list(terms)
        found = {}
        for term, (slots, counts) in zip(terms, self.postings.of(terms), strict=True):
            positions = self.sequence.position[slots]
            live = positions >= 0
            if live.any():
                found[term] = Occurrences(positions[live], counts[live])
        return found

    def updated(self, changed: Iterable[Record], removed: Collection[UUID]) -> Self:
        """The index after some memories were added or replaced, and others removed.

        Ids of `removed` that are not here are ignored; an id that is also in `changed` is replaced.
        Raises ValueError when an embedding differs in length from those that are here.
        """
        new = {record.id: record for record in changed}
        replaced = {*new, *removed}
        gone = [self.slot_of[id_] for id_ in replaced if id_ in self.slot_of]
        live = len(self) - len(gone) + len(new)
        if len(self.records) + len(new) > 2 * live + _EMPTY_SLOTS_TOLERATED:
            kept = [
                self._with_vector(record, slot)
                for slot, record in enumerate(self.records)
                if record and record.id not in replaced
            ]
            return self._empty(self.tokenizer).updated([*kept, *new.values()], ())
        return self._next(list(new.values()), gone)

    def _next(self, new: list[Record], gone: list[int]) -> Self:
        first = len(self.records)
        records: list[Record | None] = [*self.records, *(record.without_vector() for record in new)]
        slot_of = dict(self.slot_of)
        for slot in gone:
            slot_of.pop(_live(records, slot).id)
        slot_of |= {record.id: slot for slot, record in enumerate(new, first)}
        terms = [self._terms(record) for record in new]
        speakers = dict(self.speakers)
        spoken_by = [self._speaker(record, speakers) for record in new]
        sessions = self._sessions(records, first, gone)
        sequence = Sequence.of(sessions.values(), len(records))
        vectors = self.vectors.followed_by([record.embedding for record in new])
        index = type(self)(
            records=records,
            slot_of=slot_of,
            sessions=sessions,
            sequence=sequence,
            postings=self.postings.followed_by(terms, first),
            speakers=speakers,
            columns=Columns.joined([self.columns, Columns.of(new, terms, spoken_by)]),
            vectors=vectors,
            norms=self._norms(sequence, vectors, len(records)),
            tokenizer=self.tokenizer,
        )
        for slot in gone:
            records[slot] = None
        return index

    def _with_vector(self, record: Record, slot: int) -> Record:
        if not self.columns.embedded[slot]:
            return record
        return replace(record, embedding=self.vectors.rows(np.array([slot]))[0])

    def _terms(self, record: Record) -> Terms:
        if record.speaker is None or record.text.startswith(record.speaker):
            return self.tokenizer.terms(record.text)
        return self.tokenizer.terms(f"{record.speaker}: {record.text}")

    def _speaker(self, record: Record, speakers: dict[frozenset[str], int]) -> int:
        name = frozenset(self.tokenizer.words(speaker_of(record) or ""))
        return speakers.setdefault(name, len(speakers)) if name else -1

    def _sessions(
        self, records: list[Record | None], first: int, gone: list[int]
    ) -> dict[str | UUID, list[int]]:
        """A memory without a session is a session of its own."""
        sessions = dict(self.sessions)
        leaving = defaultdict(set)
        for slot in gone:
            leaving[_session(_live(records, slot))].add(slot)
        for session, slots in leaving.items():
            sessions[session] = [slot for slot in sessions[session] if slot not in slots]
        copied = set(leaving)
        for slot in range(first, len(records)):
            session = _session(_live(records, slot))
            if session not in copied:
                sessions[session] = list(sessions.get(session, ()))
                copied.add(session)
            insort(sessions[session], slot, key=lambda each: _turn(_live(records, each)))
        for session in leaving:
            if not sessions[session]:
                del sessions[session]
        return sessions

    def _norms(self, sequence: Sequence, vectors: Vectors, used: int) -> NDArray[np.float32]:
        """Worked out anew only for memories that are new or have other neighbours than before."""
        norms = np.zeros(used, np.float32)
        norms[: len(self.norms)] = self.norms
        if not vectors.dimensions:
            return norms
        before = np.full((len(NEIGHBOURS), used), -1, np.int64)
        before[:, self.sequence.slots] = self.sequence.neighbours()
        around = sequence.neighbours()
        moved = np.flatnonzero((around != before[:, sequence.slots]).any(axis=0))
        weights = np.array(list(NEIGHBOURS.values()), np.float32)
        for block in np.split(moved, range(_BLOCK, len(moved), _BLOCK)):
            slots = around[:, block]
            weighted = np.where(slots >= 0, weights[:, None], np.float32(0))
            rows = sum(vectors.rows(slots[row]) * weighted[row][:, None] for row in range(len(NEIGHBOURS)))
            norms[sequence.slots[block]] = np.linalg.norm(rows, axis=1)
        return norms


def _live(records: list[Record | None], slot: int) -> Record:
    record = records[slot]
    if record is None:
        raise LookupError(f"slot {slot} is empty")
    return record


def _session(record: Record) -> str | UUID:
    return record.id if record.session_id is None else record.session_id


def _turn(record: Record) -> tuple[datetime, int, UUID]:
    return record.observed_at, record.revision, record.id
