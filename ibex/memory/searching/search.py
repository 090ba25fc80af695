"""Finds memories of a scope."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from ibex.memory.embedding import Embedder
from ibex.memory.memory import Memory, Scope
from ibex.memory.repository import index_rows, memory_rows
from ibex.memory.repository.index_rows import PartitionState
from ibex.memory.retrieval.hit import Hit
from ibex.memory.retrieval.index import Index
from ibex.memory.retrieval.query import Beyond, Query
from ibex.memory.retrieval.search import search
from ibex.memory.searching.admission import Admission
from ibex.memory.searching.answer import Found, Hits, SearchAnswer, source
from ibex.memory.searching.index_cache import IndexCache, IndexKey
from ibex.memory.searching.indexes import Indexes, beside_the_loop
from ibex.memory.searching.large import Candidates
from ibex.memory.searching.partition import IndexedPartition
from ibex.memory.searching.query import SearchQuery
from ibex.memory.searching.questions import Question, Questions
from ibex.storage import Postgres

# A search of 2,000 memories takes 0.7 ms; on a thread it would wait for the loop, and the loop for it.
_SEARCHED_ON_THE_LOOP = 4_000


@dataclass(frozen=True, slots=True)
class SearchSettings:
    """How a process searches.

    Parameters
    ----------
    cache_bytes: for the indexes of the partitions that were searched last.
    exact_up_to: memories of a partition that is searched as a whole; of a larger one, candidates are.
    embedder_patience: seconds to wait for the vector of a question; then words alone decide.
    load_patience: seconds to wait for a partition to be read.
    """

    cache_bytes: int = 256 << 20
    exact_up_to: int = 20_000
    embedder_patience: float = 0.5
    load_patience: float = 10.0


def _now() -> datetime:
    return datetime.now(UTC)


class MemorySearch:
    """Three steps: which partitions there are, which of their memories answer best, and those in full.

    The vector of the question is made while partitions are read. What is known of one is kept from search to
    search, and is never behind what the first step has seen.
    """

    def __init__(
        self,
        postgres: Postgres,
        embedder: Embedder | None,
        settings: SearchSettings = SearchSettings(),
        *,
        now: Callable[[], datetime] = _now,
    ) -> None:
        self._postgres = postgres
        self._questions = Questions(postgres, embedder, patience=settings.embedder_patience)
        self._nothing = Index.of(())
        cache = IndexCache(settings.cache_bytes)
        self._indexes = Indexes(postgres, cache, self._nothing, patience=settings.load_patience)
        self._candidates = Candidates(postgres, self._nothing)
        self._settings = settings
        self._now = now

    async def search(self, scope: Scope, query: SearchQuery) -> SearchAnswer:
        """The memories of a scope that answer best, and nothing from outside of it.

        Raises `DatabaseUnavailableError`.
        """
        states = await index_rows.partition_states(self._postgres, scope)
        answer = await self._answer(scope, query, states)
        memories = await self._memories(scope, query, states, [hit.record.id for hit in answer.hits])
        found = [(hit, memories[hit.record.id]) for hit in answer.hits if hit.record.id in memories]
        return SearchAnswer(
            results=[
                Found(memory, rank, hit.score, source(hit), hit.components if query.explain else None)
                for rank, (hit, memory) in enumerate(found, start=1)
            ],
            degraded=answer.degraded,
        )

    async def hits(self, scope: Scope, query: SearchQuery) -> Hits:
        """As `search`, with what is known where it is searched: for who is in a hurry, a round trip less.

        Raises `DatabaseUnavailableError`.
        """
        states = await index_rows.partition_states(self._postgres, scope)
        return await self._answer(scope, query, states, explains=query.explain)

    async def _answer(
        self, scope: Scope, query: SearchQuery, states: Sequence[PartitionState], *, explains: bool = True
    ) -> Hits:
        if query.as_of is None and not any(state.live for state in states):
            return Hits((), None, has_memories=False)
        asking = asyncio.create_task(self._questions.embedded(query.text, query.patience))
        try:
            model = await self._questions.model()
            partitions = await self._whole(scope, query, states, model)
            question = await asking
        finally:
            asking.cancel()
        large = [] if query.as_of is not None else [state for state in states if self._is_large(state)]
        beyond = Beyond()
        if large:
            candidates, beyond = await self._candidates.of(scope, query, question, large, model)
            partitions.append(candidates)
        hits = await self._hits(scope, query, question, partitions, beyond, explains=explains)
        return Hits(hits, question.degraded, has_memories=True)

    async def latest(self, scope: Scope, most: int) -> list[Memory]:
        """What was said last in the session of a scope, the newest first.

        Raises `DatabaseUnavailableError`.
        """
        return [] if scope.session_id is None else await memory_rows.latest(self._postgres, scope, most)

    async def those(self, scope: Scope, ids: Sequence[UUID]) -> list[Memory]:
        """Of some memories those that the scope still sees, in their order.

        Raises `DatabaseUnavailableError`.
        """
        states = await index_rows.partition_states(self._postgres, scope)
        found = await self._memories(scope, SearchQuery(""), states, ids)
        return [found[id_] for id_ in ids if id_ in found]

    async def _whole(
        self, scope: Scope, query: SearchQuery, states: Sequence[PartitionState], model: int | None
    ) -> list[IndexedPartition]:
        """Those that are searched as a whole; of another time all are."""
        if query.as_of is not None:
            rows = await index_rows.rows_as_of(
                self._postgres, scope.org_id, [state.id for state in states], query.as_of, model
            )
            return [await beside_the_loop(len(rows), lambda: IndexedPartition.of(rows, self._nothing))]
        small = [state for state in states if not self._is_large(state)]
        loads = (self._indexes.up_to_date(IndexKey(scope.org_id, state.id, model), state) for state in small)
        return list(await asyncio.gather(*loads))

    def _is_large(self, state: PartitionState) -> bool:
        return state.live > self._settings.exact_up_to

    async def _hits(
        self,
        scope: Scope,
        query: SearchQuery,
        question: Question,
        partitions: Sequence[IndexedPartition],
        beyond: Beyond,
        *,
        explains: bool,
    ) -> list[Hit]:
        asked = Query(
            text=query.text,
            vector=question.vector,
            now=query.as_of or self._now(),
            where=Admission(query.filters, scope.session_id, partitions),
            pinned_first=query.pinned_first,
            beyond=beyond,
            explains=explains,
        )
        parts = [partition.index for partition in partitions]
        return await beside_the_loop(
            sum(map(len, parts)), lambda: search(parts, asked, query.limit), most=_SEARCHED_ON_THE_LOOP
        )

    async def _memories(
        self, scope: Scope, query: SearchQuery, states: Sequence[PartitionState], ids: Sequence[UUID]
    ) -> dict[UUID, Memory]:
        if not ids:
            return {}
        partition_ids = [state.id for state in states]
        if query.as_of is not None:
            return await memory_rows.as_of(
                self._postgres,
                scope.org_id,
                ids,
                query.as_of,
                partition_ids=partition_ids,
                session_id=scope.session_id,
            )
        return await memory_rows.live(
            self._postgres, scope.org_id, ids, partition_ids=partition_ids, session_id=scope.session_id
        )
