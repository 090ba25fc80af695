"""Candidates from partitions that are too large to be searched as a whole."""

import asyncio
from collections.abc import Mapping, Sequence
from itertools import combinations
from math import log1p
from uuid import UUID

from ibex.memory.memory import Scope
from ibex.memory.repository import candidates
from ibex.memory.repository.candidates import Nearest, Selection
from ibex.memory.repository.index_rows import PartitionState
from ibex.memory.retrieval.index import Index
from ibex.memory.searching.partition import IndexedPartition
from ibex.memory.searching.query import Filters, SearchQuery
from ibex.memory.searching.questions import Question
from ibex.storage import Postgres

# Candidates of each way to find them.
_WITH_WORDS = 200
_NEWEST = 20
# The question's words that are looked for; its longest are mostly its rarest.
_MOST_WORDS = 8
# Pairs are asked for among as many, since a pair of common words may be rare.
_MOST_PAIRED = 4
# So many of them are indexed; the best of these together with the turns around them.
_INDEXED = 150
_SEEDS = 25


class Candidates:
    """Makes a small index of the memories of large partitions that may answer a question."""

    def __init__(self, postgres: Postgres, nothing: Index) -> None:
        self._postgres = postgres
        self._nothing = nothing

    async def of(
        self,
        scope: Scope,
        query: SearchQuery,
        question: Question,
        states: Sequence[PartitionState],
        model: int | None,
    ) -> IndexedPartition:
        chosen = selection(scope, query.filters, states)
        most = max(candidates.MOST_NEAREST, query.limit)
        live = sum(state.live for state in states)
        terms = self._terms(query.text)
        sets = _sets(terms)
        near, having, new = await asyncio.gather(
            self._nearest(chosen, question, model, most, live),
            candidates.with_words(self._postgres, chosen, sets, max(_WITH_WORDS, query.limit)),
            candidates.newest(self._postgres, chosen, max(_NEWEST, query.limit)),
        )
        ranked = _ranked(near, dict(zip(sets, having, strict=True)), live)
        best = ranked[: max(_INDEXED, query.limit)]
        rows = await candidates.rows_with_neighbours(
            self._postgres, chosen, list({*best, *new}), best[:_SEEDS], model
        )
        return await asyncio.to_thread(IndexedPartition.of, rows, self._nothing)

    async def _nearest(
        self, chosen: Selection, question: Question, model: int | None, most: int, live: int
    ) -> Mapping[UUID, float]:
        if question.vector is None or model is None:
            return {}
        to = Nearest(model, question.vector)
        return await candidates.nearest(self._postgres, chosen, to, most, live)

    def _terms(self, text: str) -> list[str]:
        return sorted(self._nothing.tokenizer.terms(text).counts, key=len, reverse=True)[:_MOST_WORDS]


def selection(scope: Scope, filters: Filters, states: Sequence[PartitionState]) -> Selection:
    """What a scope may see of some partitions, and the filters let through."""
    return Selection(
        org_id=scope.org_id,
        partition_ids=[state.id for state in states],
        session_id=scope.session_id,
        kinds=filters.kinds or None,
        tags_any=filters.tags_any or None,
        tags_all=filters.tags_all or None,
        labels=filters.labels or None,
        only_session=filters.session_id,
        observed_from=filters.observed_from,
        observed_until=filters.observed_until,
        min_confidence=filters.min_confidence,
        pinned=filters.pinned,
    )


def _sets(terms: Sequence[str]) -> list[tuple[str, ...]]:
    return [*((term,) for term in terms), *combinations(terms[:_MOST_PAIRED], 2)]


def _ranked(
    near: Mapping[UUID, float],
    having: Mapping[tuple[str, ...], Sequence[UUID]],
    live: int,
) -> list[UUID]:
    """All that were found, the likeliest first: by the rarity of the words each has, and by its cosine."""
    matched: dict[UUID, set[str]] = {}
    for words, ids in having.items():
        for id_ in ids:
            matched.setdefault(id_, set()).update(words)
    # Of a word that is cut off it is only known that it is not rare.
    rarity = {words[0]: log1p(live / max(len(ids), 1)) for words, ids in having.items() if len(words) == 1}
    by_words = {id_: sum(rarity[word] for word in words) for id_, words in matched.items()}
    highest = max(by_words.values(), default=1.0)
    closest = max(near.values(), default=1.0)

    def likelihood(id_: UUID) -> float:
        return by_words.get(id_, 0.0) / highest + near.get(id_, 0.0) / closest

    return sorted({*near, *by_words}, key=lambda id_: (-likelihood(id_), id_))
