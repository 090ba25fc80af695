"""Writes through the whole write path, in process."""

from collections.abc import Sequence
from time import perf_counter
from typing import Any

from benchmarks.load import percentile
from benchmarks.memory_corpus import Conversation, Corpus
from benchmarks.memory_table import ORGANIZATION, Table
from ibex.auth import Actor
from ibex.memory.embedding import Embedder
from ibex.memory.memory import NewMemory, Scope
from ibex.memory.retrieval.tokenizer import Tokenizer
from ibex.memory.writing.store import Store
from ibex.memory.writing.vectors import Vectors
from ibex.memory.writing.writer import MemoryWriter
from ibex.storage import Postgres

AT_ONCE = 100


async def single(
    postgres: Postgres, embedder: Embedder | None, table: Table, corpus: Corpus, count: int
) -> float:
    """The 95th percentile of writing one memory after the other, in milliseconds."""
    writer, scope = _writer(postgres, embedder), _scope(table, "writes-single")
    seconds = []
    for new in _turns(corpus.conversation(900_001, count)):
        began = perf_counter()
        await writer.write(Actor.local(ORGANIZATION, "benchmark"), scope, new)
        seconds.append(perf_counter() - began)
    return percentile(seconds, 0.95)


async def bulk(
    postgres: Postgres, embedder: Embedder | None, table: Table, corpus: Corpus, count: int
) -> float:
    """Memories a second, a hundred at a time."""
    writer, scope = _writer(postgres, embedder), _scope(table, "writes-bulk")
    news = _turns(corpus.conversation(900_002, count))
    began = perf_counter()
    for at in range(0, count, AT_ONCE):
        await writer.write_many(Actor.local(ORGANIZATION, "benchmark"), scope, news[at : at + AT_ONCE])
    return count / (perf_counter() - began)


def _writer(postgres: Postgres, embedder: Embedder | None) -> MemoryWriter:
    vectors = Vectors(postgres, embedder)
    return MemoryWriter(postgres, vectors, Store(postgres, vectors, Tokenizer()), _nothing_is_cached)


async def _nothing_is_cached(*_: Any) -> None:
    return


def _scope(table: Table, user: str) -> Scope:
    return Scope(ORGANIZATION, table.scope(0).agent_id, f"{user}-{perf_counter()}", "session")


def _turns(conversation: Conversation) -> Sequence[NewMemory]:
    return [
        NewMemory(text, observed_at=at)
        for text, at in zip(conversation.texts, conversation.observed, strict=True)
    ]
