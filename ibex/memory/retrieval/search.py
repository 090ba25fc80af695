"""Finds the memories that a question is about."""

from collections.abc import Iterator, Sequence
from itertools import groupby, islice

import numpy as np
from numpy.typing import NDArray

from ibex.memory.retrieval.columns import Columns
from ibex.memory.retrieval.explanation import components
from ibex.memory.retrieval.hit import Hit
from ibex.memory.retrieval.index import Index
from ibex.memory.retrieval.query import Query
from ibex.memory.retrieval.ranking import ranking
from ibex.memory.retrieval.record import Record
from ibex.memory.retrieval.relevance import relevance

# Scores that differ by less differ by the rounding of float32, not in meaning.
_DECIMALS = 6
# So many more than asked for are put in order at first: filters leave some out.
_SPARE = 50


def search(parts: Sequence[Index], query: Query, limit: int) -> list[Hit]:
    """The best hits over the memories of several partitions, best first; at most `limit`.

    Among equal scores the newer comes first, then the smaller id. Memories below the relevance floor are left
    out, unless they are pinned and `pinned_first` asks for them.
    """
    parts = [part for part in parts if len(part)]
    if not parts or limit <= 0:
        return []
    columns = Columns.joined([part.columns.taken(part.sequence.slots) for part in parts])
    relevant = relevance(parts, columns, query)
    ranked = ranking(relevant.score, columns, query.now)
    found = islice(_admitted(parts, columns, query, relevant.above_floor, ranked.score, limit), limit)
    records = dict(found)
    explained = components(relevant, ranked, list(records), in_full=query.explains)
    return [
        Hit(record, float(ranked.score[at]), because)
        for (at, record), because in zip(records.items(), explained, strict=True)
    ]


def _admitted(
    parts: Sequence[Index],
    columns: Columns,
    query: Query,
    above_floor: NDArray[np.bool_],
    scores: NDArray[np.float64],
    limit: int,
) -> Iterator[tuple[int, Record]]:
    """Positions over all parts and their records, best first."""
    ends = np.cumsum([len(part) for part in parts])
    scores = np.round(scores, _DECIMALS)
    first = columns.pinned if query.pinned_first else np.zeros(len(scores), np.bool_)
    for eligible in (first, above_floor & ~first):
        for tied in _best_first(np.flatnonzero(eligible), scores, columns.observed, limit + _SPARE):
            records = [(position, _record(parts, ends, position)) for position in tied]
            records.sort(key=lambda pair: pair[1].id)
            yield from (pair for pair in records if query.admits(pair[1]))


def _best_first(
    positions: NDArray[np.int64], scores: NDArray[np.float64], observed: NDArray[np.float64], at_first: int
) -> Iterator[list[int]]:
    """Groups of positions that score and time do not tell apart; the first without sorting them all."""
    batches = [positions]
    if len(positions) > at_first:
        of_positions = scores[positions]
        leading = of_positions >= np.partition(of_positions, -at_first)[-at_first]
        batches = [positions[leading], positions[~leading]]
    for batch in batches:
        ordered = batch[np.lexsort((-observed[batch], -scores[batch]))].tolist()
        for _, tied in groupby(ordered, key=lambda position: (scores[position], observed[position])):
            yield list(tied)


def _record(parts: Sequence[Index], ends: NDArray[np.int64], position: int) -> Record:
    number = int(np.searchsorted(ends, position, side="right"))
    part = parts[number]
    return part.at(position - (int(ends[number]) - len(part)))
