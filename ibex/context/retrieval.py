"""Memories for one call, as many as are to be had before its deadline."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from ibex.context.receipts.receipt import Rung, Source
from ibex.memory import (
    Components,
    Hit,
    Hits,
    HotRow,
    HotSet,
    Memory,
    MemorySearch,
    Scope,
    SearchQuery,
)
from ibex.storage import DatabaseUnavailableError

logger = logging.getLogger(__name__)

# A search that takes longer than this share of its time is likely to be late; then the hot cache is read
# beside it, which takes a millisecond or two.
_SHARE_OF_SEARCH = 0.5
# The vector of a question takes some 5 ms; without it words decide, and what is left of the time is theirs.
_SHARE_OF_EMBEDDER = 0.6
# While so many searches are late no other is begun: what they wait for is not there.
_MOST_LATE = 16
_LATE = "The search was not done in time: what matters most at any time was taken from the cache."
_FAILED = "Memories could not be searched: what matters most at any time was taken from the cache."
_NOTHING = "Memories could neither be searched nor read from the cache in time."


@dataclass(frozen=True, slots=True)
class Recalled:
    """A memory that may be told.

    Parameters
    ----------
    id: None for what is not stored yet.
    voice: who said it, as well as that is known.
    score: orders those of one answer.
    components: what the score is made of, by name.
    """

    id: UUID | None
    kind: str
    text: str = field(repr=False)
    voice: str | None
    observed_at: datetime
    pinned: bool
    source: Source
    score: float
    components: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Retrieved:
    """What was recalled, best first, and by which rung of the ladder.

    Parameters
    ----------
    degraded: a sentence on what retrieval had to do without.
    is_repeated: whether it is what the turn was told before, and is to be told again.
    has_memories: whether a search has seen any, be they about something else.
    """

    recalled: Sequence[Recalled]
    rung: Rung
    degraded: str | None
    is_repeated: bool = False
    has_memories: bool = False


class Retrieval:
    """Searches, and falls back on the hot cache when the search is late or fails.

    A search that is late goes on, within bounds: what it was loading is there for the next call.

    Parameters
    ----------
    deadline: seconds for all of it.
    most: memories of an answer.
    """

    def __init__(self, search: MemorySearch, hot_set: HotSet, *, deadline: float, most: int) -> None:
        self._search = search
        self._hot_set = hot_set
        self._deadline = deadline
        self._most = most
        self._searches: set[asyncio.Task[Hits]] = set()
        self._late = 0

    async def of(self, scope: Scope, question: str) -> Retrieved:
        """The memories of a scope that answer best. Raises nothing of what it depends on."""
        loop = asyncio.get_running_loop()
        end = loop.time() + self._deadline
        if self._late >= _MOST_LATE:
            return await self._cached(scope, end, _LATE)
        search = self._begin(scope, question)
        await asyncio.wait((search,), timeout=self._deadline * _SHARE_OF_SEARCH)
        if _is_answered(search):
            return _searched(search.result())
        cached = await self._cached(scope, end, _FAILED if search.done() else _LATE)
        if not search.done():
            await asyncio.wait((search,), timeout=end - loop.time())
        if _is_answered(search):
            return _searched(search.result())
        if not search.done():
            self._late += 1
            search.add_done_callback(self._arrived)
        return cached

    async def close(self) -> None:
        """End the searches that nobody waits for any more."""
        for search in self._searches:
            search.cancel()
        if self._searches:
            await asyncio.wait(self._searches)

    def _begin(self, scope: Scope, question: str) -> asyncio.Task[Hits]:
        query = SearchQuery(
            question,
            limit=self._most,
            pinned_first=True,
            patience=self._deadline * _SHARE_OF_EMBEDDER,
        )
        search = asyncio.create_task(self._search.hits(scope, query), name="context-search")
        self._searches.add(search)
        search.add_done_callback(self._ended)
        return search

    async def _cached(self, scope: Scope, end: float, degraded: str) -> Retrieved:
        try:
            async with asyncio.timeout_at(end):
                hot = await self._hot_set.remembered(scope)
        except TimeoutError:
            return Retrieved((), Rung.DIRECTIVE_ONLY, _NOTHING)
        if not hot.shows:
            return Retrieved((), Rung.DIRECTIVE_ONLY, _NOTHING)
        recalled = [_of_hot(row, rank) for rank, row in enumerate(hot.memories[: self._most])]
        return Retrieved(recalled, Rung.HOT_CACHE, degraded)

    def _ended(self, search: asyncio.Task[Hits]) -> None:
        self._searches.discard(search)
        error = None if search.cancelled() else search.exception()
        if isinstance(error, DatabaseUnavailableError):
            logger.warning("memories cannot be searched (%s)", type(error).__name__)
        elif error is not None:
            logger.error("a search of memories failed", exc_info=error)

    def _arrived(self, search: asyncio.Task[Hits]) -> None:
        self._late -= 1


def _is_answered(search: "asyncio.Task[Hits]") -> bool:
    return search.done() and not search.cancelled() and search.exception() is None


def _searched(answer: Hits) -> Retrieved:
    recalled = [_of_hit(hit) for hit in answer.hits]
    return Retrieved(recalled, Rung.COMPLETE, answer.degraded, has_memories=answer.has_memories)


def of_memory(memory: Memory, source: Source, *, score: float) -> Recalled:
    """A memory as its source has ranked it."""
    return Recalled(
        id=memory.id,
        kind=memory.kind,
        text=memory.content,
        voice=memory.provenance.voice,
        observed_at=memory.observed_at,
        pinned=memory.pinned,
        source=source,
        score=score,
    )


def _of_hit(hit: Hit) -> Recalled:
    record = hit.record
    return Recalled(
        id=record.id,
        kind=record.kind,
        text=record.text,
        voice=record.speaker,
        observed_at=record.observed_at,
        pinned=record.pinned,
        source="search",
        score=hit.score,
        components=_numbers(hit.components),
    )


def _of_hot(row: HotRow, rank: int) -> Recalled:
    """One that is ranked by its place: what is cached of it is not what it would be worth to the question."""
    return Recalled(
        id=row.id,
        kind=row.kind,
        text=row.content,
        voice=row.speaker or row.role,
        observed_at=row.observed_at,
        pinned=row.pinned,
        source="hot_cache",
        score=1.0 / (1.0 + rank),
    )


def _numbers(explained: Components) -> dict[str, float]:
    numbers = {
        "lexical": explained.lexical,
        "stated": explained.stated,
        "speaker": explained.speaker,
        "time": explained.time,
        "relevance": explained.relevance,
        "recency": explained.recency,
        "usefulness": explained.usefulness,
        "confidence": explained.confidence,
        "use": explained.use,
    }
    if explained.semantic is not None:
        numbers["semantic"] = explained.semantic
    return {name: round(number, 4) for name, number in numbers.items()}
