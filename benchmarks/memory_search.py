"""Search over made-up memories: how fast, how much of what an exact search finds, and by which plan."""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from time import perf_counter

import numpy as np
import psycopg
from numpy.typing import NDArray

from benchmarks.load import percentile
from benchmarks.memory_corpus import Asked, Corpus
from benchmarks.memory_table import ORGANIZATION, Table
from ibex.memory.embedding import EmbeddingModel
from ibex.memory.memory import Scope
from ibex.memory.repository import index_rows
from ibex.memory.repository.nearest import (
    EF_SEARCH,
    Nearest,
    VectorIndexes,
    by_index,
    by_signs,
    nearest,
    nearest_of_all,
    parameters,
)
from ibex.memory.repository.selection import Selection
from ibex.memory.retrieval.index import Index
from ibex.memory.retrieval.query import Query
from ibex.memory.retrieval.search import search
from ibex.memory.searching import MemorySearch, SearchQuery, SearchSettings
from ibex.memory.searching.large import MOST_NEAREST
from ibex.memory.searching.partition import IndexedPartition
from ibex.storage import Postgres

# The number that the migration gives to all-MiniLM-L6-v2, in whose place made-up vectors stand.
MODEL = 1
_LIMIT = 10


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds."""

    p50: float
    p95: float


@dataclass(frozen=True, slots=True)
class Share:
    """One scope of a large table.

    Parameters
    ----------
    answers: recall@10 of whole answers, against a search of the scope as a whole.
    nearest: recall@10 of the memories closest in meaning, against comparing all; None for a scope that is
        small enough to be searched as a whole.
    plan: how Postgres finds the closest in meaning.
    """

    memories: int
    share: float
    latency: Latency
    answers: float
    nearest: float | None
    plan: Sequence[str]


class GivenVectors:
    """An embedder that knows the vectors of some texts, so that the model takes no time."""

    model = EmbeddingModel("all-MiniLM-L6-v2", "53aa51172d14", 384)

    def __init__(self) -> None:
        self._vectors: dict[str, NDArray[np.float32]] = {}

    def know(self, asked: Sequence[Asked]) -> None:
        self._vectors |= {each.text: each.vector for each in asked}

    async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return np.stack([self._vectors[text] for text in texts])

    async def close(self) -> None:
        return


async def many_agents(
    postgres: Postgres, table: Table, corpus: Corpus, cache_bytes: int, rounds: int
) -> tuple[Latency, Latency]:
    """The first search of each agent, which has to read its memories, and those after it, agents in turn."""
    embedder = GivenVectors()
    asked = []
    for number, size in enumerate(table.sizes):
        questions = corpus.questions(corpus.conversation(number, size), rounds + 1)
        embedder.know(questions)
        asked.append(questions)
    memories = MemorySearch(postgres, embedder, SearchSettings(cache_bytes=cache_bytes))
    turns = [
        [
            await _timed(memories, table.scope(number), questions[turn])
            for number, questions in enumerate(asked)
        ]
        for turn in range(rounds + 1)
    ]
    return _latency(turns[0]), _latency([seconds for turn in turns[1:] for seconds in turn])


async def share(
    postgres: Postgres, table: Table, corpus: Corpus, number: int, questions: int, settings: SearchSettings
) -> Share:
    """One conversation of a table, asked about."""
    size = table.sizes[number]
    asked = corpus.questions(corpus.conversation(number, size), questions)
    embedder = GivenVectors()
    embedder.know(asked)
    scope = table.scope(number)
    (state,) = await index_rows.partition_states(postgres, scope)
    selection = Selection(ORGANIZATION, [state.id])
    memories = MemorySearch(postgres, embedder, settings)
    # The first brings pages and indexes into memory.
    for each in asked:
        await _timed(memories, scope, each)
    seconds = [await _timed(memories, scope, each) for each in asked]
    is_large = size > settings.exact_up_to
    return Share(
        memories=size,
        share=size / sum(table.sizes),
        latency=_latency(seconds),
        answers=await _answers(postgres, memories, scope, state.id, asked),
        nearest=await _nearest(postgres, selection, state.live, asked) if is_large else None,
        plan=await _plan(postgres, table, selection, state.live, asked[0]) if is_large else (),
    )


async def _answers(
    postgres: Postgres, memories: MemorySearch, scope: Scope, partition_id: int, asked: Sequence[Asked]
) -> float:
    rows = await index_rows.live_rows(postgres, ORGANIZATION, partition_id, MODEL)
    whole = await asyncio.to_thread(IndexedPartition.of, rows, Index.of(()))
    now = datetime.now(UTC)
    recall = []
    for each in asked:
        hits = search([whole.index], Query(each.text, each.vector, now), _LIMIT)
        found = (await memories.search(scope, SearchQuery(each.text, _LIMIT))).results
        expected = {hit.record.id for hit in hits}
        recall.append(len(expected & {result.memory.id for result in found}) / len(expected))
    return float(np.mean(recall))


async def _nearest(postgres: Postgres, selection: Selection, live: int, asked: Sequence[Asked]) -> float:
    recall = []
    is_indexed = await VectorIndexes(postgres).serve(ORGANIZATION, MODEL, live)
    for each in asked:
        to = Nearest(MODEL, each.vector)
        expected = await nearest_of_all(postgres, selection, to, _LIMIT)
        found = await nearest(postgres, selection, to, MOST_NEAREST, is_indexed=is_indexed)
        best = sorted(found, key=lambda id_: -found[id_])[:_LIMIT]
        recall.append(len(expected.keys() & set(best)) / len(expected))
    return float(np.mean(recall))


async def _plan(postgres: Postgres, table: Table, selection: Selection, live: int, asked: Asked) -> list[str]:
    to = Nearest(MODEL, asked.vector)
    asks_index = await VectorIndexes(postgres).serve(ORGANIZATION, MODEL, live)
    with psycopg.connect(table.dsn) as connection:
        connection.execute(
            "SELECT set_config('app.current_org_id', %s, true), set_config('hnsw.iterative_scan',"
            " 'relaxed_order', true), set_config('hnsw.ef_search', %s, true)",
            (str(ORGANIZATION), str(EF_SEARCH)),
        )
        query = by_index(selection, to).as_bytes(connection) if asks_index else by_signs(selection).encode()
        statement = b"EXPLAIN (ANALYZE, COSTS off, TIMING off) " + query
        lines = connection.execute(statement, parameters(selection, to, MOST_NEAREST)).fetchall()
    # The vector in it would fill a page.
    return [re.split("<=>|<~>", line)[0] for (line,) in lines]


async def _timed(memories: MemorySearch, scope: Scope, asked: Asked) -> float:
    began = perf_counter()
    await memories.search(scope, SearchQuery(asked.text, _LIMIT))
    return perf_counter() - began


def _latency(seconds: Sequence[float]) -> Latency:
    return Latency(percentile(list(seconds), 0.50), percentile(list(seconds), 0.95))
