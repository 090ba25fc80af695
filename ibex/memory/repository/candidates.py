"""The SQL that finds candidates in partitions which are too large to be searched as a whole.

Every filter is applied before a limit: whatever the others do not reach, the filter alone does not hide.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from psycopg import sql
from psycopg.rows import TupleRow, class_row, scalar_row, tuple_row

from ibex.memory.repository.embeddings import spelled
from ibex.memory.repository.index_rows import CURRENT_ROWS, IndexRow
from ibex.storage import Postgres

MOST_NEAREST = 100
# Up to so many vectors are compared one by one; the index would skip most of what it comes by.
_MOST_COMPARED = 100_000
# So many times more are taken than needed, for those that are no longer live or not what is sought.
_SPARE = 3
# Candidates that the approximate index keeps at a time. With half as many its recall of the nearest 10 fell
# from 0.98 to 0.95 on half of a million vectors.
_EF_SEARCH = 240
# After so many the index gives up on a filter that hardly any meets, and all of the partition is compared.
_MOST_SCANNED = 20_000
# Of what it may remember meanwhile, in multiples of work_mem.
_SCAN_MEMORY = 4
# A turn of a conversation is judged together with so many before and after it.
_NEIGHBOURS = 2


@dataclass(frozen=True, slots=True)
class Selection:
    """What a candidate has to be: in one of these partitions, to be seen in this session, and as filtered.

    Parameters
    ----------
    session_id: which sees its private memories; None sees none of any.
    only_session: said in this session. None, here and in what follows, does not matter.
    """

    org_id: UUID
    partition_ids: Sequence[int]
    session_id: str | None = None
    kinds: Sequence[str] | None = None
    tags_any: Sequence[str] | None = None
    tags_all: Sequence[str] | None = None
    labels: Sequence[str] | None = None
    only_session: str | None = None
    observed_from: datetime | None = None
    observed_until: datetime | None = None
    min_confidence: float | None = None
    pinned: bool | None = None

    def parameters(self) -> dict[str, Any]:
        return {
            "partition_ids": list(self.partition_ids),
            "session_id": self.session_id,
            "kinds": _listed(self.kinds),
            "tags_any": _listed(self.tags_any),
            "tags_all": _listed(self.tags_all),
            "labels": _listed(self.labels),
            "only_session": self.only_session,
            "observed_from": self.observed_from,
            "observed_until": self.observed_until,
            "min_confidence": self.min_confidence,
            "pinned": self.pinned,
        }

    def condition(self) -> LiteralString:
        """On `ibex.memories AS memory`, beside the partition.

        Only what matters, so that Postgres can tell how many will meet it.
        """
        return " AND ".join(
            [_VISIBLE, *(text for name, text in _FILTERS.items() if getattr(self, name) is not None)]
        )


_VISIBLE: LiteralString = """
    memory.status = 'active' AND (memory.visibility <> 'session' OR memory.session_id = %(session_id)s)
"""

_FILTERS: Mapping[str, LiteralString] = {
    "kinds": "memory.kind = ANY(%(kinds)s)",
    "tags_any": "memory.tags && %(tags_any)s::text[]",
    "tags_all": "memory.tags @> %(tags_all)s::text[]",
    "labels": """
        EXISTS (
            SELECT FROM ibex.memory_labels AS label
            WHERE label.org_id = memory.org_id
                AND label.memory_id = memory.id
                AND label.label = ANY(%(labels)s)
        )
    """,
    "only_session": "memory.session_id = %(only_session)s",
    "observed_from": "memory.observed_at >= %(observed_from)s",
    "observed_until": "memory.observed_at < %(observed_until)s",
    "min_confidence": "memory.confidence >= %(min_confidence)s::real",
    "pinned": "memory.pinned = %(pinned)s",
}


@dataclass(frozen=True, slots=True)
class Nearest:
    """The model of a question's vector, and the vector; float32, shape (dimensions,), unit norm."""

    model: int
    vector: NDArray[np.float32] = field(repr=False)


async def nearest(
    postgres: Postgres, selection: Selection, to: Nearest, most: int, live: int
) -> dict[UUID, float]:
    """Cosines of the memories closest in meaning; fewer than `most` only when there are no more.

    A vector may be of an earlier text, which whoever reads the row will see.

    Parameters
    ----------
    live: how many memories the partitions have.
    """
    by = _nearest_of_vectors if live <= _MOST_COMPARED else _nearest_by_index
    found = await by(postgres, selection, to, most)
    return found if len(found) == most else await nearest_of_all(postgres, selection, to, most)


async def _nearest_of_vectors(
    postgres: Postgres, selection: Selection, to: Nearest, most: int
) -> dict[UUID, float]:
    """Compares all vectors before it looks at any memory, which is three times as fast as the other way."""
    rows: list[TupleRow] = await postgres.fetch_all(
        selection.org_id,
        f"""
        WITH near AS MATERIALIZED (
            SELECT stored.org_id, stored.memory_id, stored.embedding <=> %(vector)s::halfvec AS distance
            FROM ibex.memory_embeddings AS stored
            WHERE stored.model_id = %(model)s AND stored.partition_id = ANY(%(partition_ids)s)
            ORDER BY distance
            LIMIT %(spare)s * %(most)s
        )
        SELECT memory.id, 1 - near.distance
        FROM near
        JOIN ibex.memories AS memory ON memory.org_id = near.org_id AND memory.id = near.memory_id
        WHERE {selection.condition()}
        ORDER BY near.distance
        LIMIT %(most)s
        """,
        {**parameters(selection, to, most), "model": to.model, "spare": _SPARE},
        row=tuple_row,
    )
    return dict(rows)


async def _nearest_by_index(
    postgres: Postgres, selection: Selection, to: Nearest, most: int
) -> dict[UUID, float]:
    async with (
        postgres.transaction(selection.org_id) as connection,
        connection.cursor(row_factory=tuple_row) as cursor,
    ):
        async with connection.pipeline():
            await connection.execute(
                "SELECT set_config('hnsw.iterative_scan', 'relaxed_order', true),"
                " set_config('hnsw.ef_search', %s, true), set_config('hnsw.max_scan_tuples', %s, true),"
                " set_config('hnsw.scan_mem_multiplier', %s, true)",
                (str(_EF_SEARCH), str(_MOST_SCANNED), str(_SCAN_MEMORY)),
            )
            await cursor.execute(by_index(selection, to), parameters(selection, to, most))
        return dict(await cursor.fetchall())


async def nearest_of_all(
    postgres: Postgres, selection: Selection, to: Nearest, most: int
) -> dict[UUID, float]:
    """As `nearest`, compared with all of the partitions, whatever that takes."""
    rows: list[TupleRow] = await postgres.fetch_all(
        selection.org_id,
        f"""
        SELECT memory.id, 1 - (stored.embedding <=> %(vector)s::halfvec)
        FROM ibex.memory_embeddings AS stored
        JOIN ibex.memories AS memory ON memory.org_id = stored.org_id AND memory.id = stored.memory_id
        WHERE stored.model_id = %(model)s
            AND stored.partition_id = ANY(%(partition_ids)s)
            AND {selection.condition()}
        ORDER BY stored.embedding <=> %(vector)s::halfvec
        LIMIT %(most)s
        """,
        {**parameters(selection, to, most), "model": to.model},
        row=tuple_row,
    )
    return dict(rows)


def by_index(selection: Selection, to: Nearest) -> sql.Composed:
    """The statement that the approximate index of a model can answer.

    Model and dimensions stand in it as they are: with parameters, a plan that is kept for all of their values
    could not use an index that is made for one of them.
    """
    vector = sql.SQL("embedding::halfvec({dimensions}) <=> %(vector)s::halfvec({dimensions})").format(
        dimensions=sql.Literal(len(to.vector))
    )
    return sql.SQL(
        """
        SELECT memory.id, 1 - (stored.{distance}) AS cosine
        FROM ibex.memory_embeddings AS stored
        JOIN ibex.memories AS memory ON memory.org_id = stored.org_id AND memory.id = stored.memory_id
        WHERE stored.model_id = {model}
            AND stored.partition_id = ANY(%(partition_ids)s)
            AND {condition}
        ORDER BY stored.{distance}
        LIMIT %(most)s
        """
    ).format(distance=vector, model=sql.Literal(to.model), condition=sql.SQL(selection.condition()))


async def with_words(
    postgres: Postgres, selection: Selection, words: Sequence[Sequence[str]], most: int
) -> list[list[UUID]]:
    """For each set of words, up to `most` memories that have all of them."""
    found: list[list[UUID]] = [[] for _ in words]
    rows: list[TupleRow] = await postgres.fetch_all(
        selection.org_id,
        """
        SELECT query, memory_id
        FROM ibex.memories_with_words(
            %(partition_ids)s::bigint[], %(queries)s::tsquery[], %(most)s, %(session_id)s, %(kinds)s,
            %(tags_any)s, %(tags_all)s, %(labels)s, %(only_session)s, %(observed_from)s, %(observed_until)s,
            %(min_confidence)s::real, %(pinned)s
        )
        """,
        {**selection.parameters(), "queries": [_query(each) for each in words], "most": most},
        row=tuple_row,
    )
    for number, id_ in rows:
        found[number - 1].append(id_)
    return found


async def newest(postgres: Postgres, selection: Selection, most: int) -> list[UUID]:
    """What was written or changed last, and what is pinned."""
    condition = selection.condition()
    return await postgres.fetch_all(
        selection.org_id,
        f"""
        SELECT chosen.id
        FROM unnest(%(partition_ids)s::bigint[]) AS partition (id)
        CROSS JOIN LATERAL (
            (
                SELECT memory.id FROM ibex.memories AS memory
                WHERE memory.partition_id = partition.id AND {condition}
                ORDER BY memory.revision DESC
                LIMIT %(most)s
            )
            UNION
            (
                SELECT memory.id FROM ibex.memories AS memory
                WHERE memory.partition_id = partition.id AND memory.pinned AND {condition}
                ORDER BY memory.observed_at DESC
                LIMIT %(most)s
            )
        ) AS chosen
        """,
        {**selection.parameters(), "most": most},
        row=scalar_row,
    )


async def rows_with_neighbours(
    postgres: Postgres, selection: Selection, ids: Sequence[UUID], seeds: Sequence[UUID], model: int | None
) -> list[IndexRow]:
    """Some memories, and the turns before and after the seeds among them."""
    return await postgres.fetch_all(
        selection.org_id,
        f"""
        WITH seed AS (
            SELECT org_id, partition_id, agent_id, session_id, observed_at
            FROM ibex.memories
            WHERE id = ANY(%(seeds)s) AND session_id IS NOT NULL
        ), wanted AS (
            SELECT unnest(%(ids)s) AS id
            UNION
            SELECT beside.id
            FROM seed
            CROSS JOIN LATERAL (
                (
                    SELECT turn.id FROM ibex.memories AS turn
                    WHERE {_SAME_SESSION} AND turn.observed_at <= seed.observed_at
                    ORDER BY turn.observed_at DESC
                    LIMIT %(neighbours)s + 1
                )
                UNION ALL
                (
                    SELECT turn.id FROM ibex.memories AS turn
                    WHERE {_SAME_SESSION} AND turn.observed_at > seed.observed_at
                    ORDER BY turn.observed_at
                    LIMIT %(neighbours)s
                )
            ) AS beside
        )
        {CURRENT_ROWS}
        JOIN wanted ON wanted.id = memory.id
        WHERE memory.partition_id = ANY(%(partition_ids)s) AND memory.status = 'active'
        """,
        {
            "ids": list(ids),
            "seeds": list(seeds),
            "neighbours": _NEIGHBOURS,
            "partition_ids": list(selection.partition_ids),
            "model": model,
        },
        row=class_row(IndexRow),
        binary=True,
    )


_SAME_SESSION: LiteralString = """
    turn.org_id = seed.org_id
    AND turn.agent_id = seed.agent_id
    AND turn.session_id = seed.session_id
    AND turn.partition_id = seed.partition_id
    AND turn.status = 'active'
"""


def parameters(selection: Selection, to: Nearest, most: int) -> dict[str, Any]:
    """Of `by_index`."""
    return {**selection.parameters(), "vector": spelled(to.vector), "most": most}


def _query(words: Sequence[str]) -> str:
    """Words as a tsquery: each in quotes, in which only quotes and backslashes mean anything."""
    return " & ".join("'" + word.replace("\\", "\\\\").replace("'", "''") + "'" for word in words)


def _listed(values: Sequence[str] | None) -> list[str] | None:
    return None if values is None else list(values)
