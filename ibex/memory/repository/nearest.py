"""The SQL that finds the memories closest in meaning, in partitions that are too large for a process.

Every filter is applied before a limit: whatever an index does not reach, the filter alone does not hide.
"""

from dataclasses import dataclass, field
from typing import Any, LiteralString
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from psycopg import sql
from psycopg.rows import TupleRow, scalar_row, tuple_row

from ibex.memory.repository.embeddings import spelled
from ibex.memory.repository.selection import Selection
from ibex.storage import Postgres

# In up to so many memories the signs of all vectors are compared: 50,000 take 20 ms. The approximate index of
# a million would come by nineteen others for each of them.
_MOST_COMPARED = 100_000
# So many times more than needed are taken by their signs, to be put in order by their vectors, and for those
# that are no longer live or not what is sought.
_SPARE = 3
# Candidates that the approximate index keeps at a time: of half a million vectors they hold 99 % of the ten
# closest; 240 hold hardly more, and take a third longer.
EF_SEARCH = 180
# After so many the index gives up on a filter that hardly any meets, and all of the partition is compared.
_MOST_SCANNED = 20_000
# Of what it may remember meanwhile, in multiples of work_mem.
_SCAN_MEMORY = 4


@dataclass(frozen=True, slots=True)
class Nearest:
    """The model of a question's vector, and the vector; float32, shape (dimensions,), unit norm."""

    model: int
    vector: NDArray[np.float32] = field(repr=False)


async def nearest(
    postgres: Postgres, selection: Selection, to: Nearest, most: int, *, is_indexed: bool
) -> dict[UUID, float]:
    """Cosines of the memories closest in meaning; fewer than `most` only when there are no more.

    A vector may be of an earlier text, which whoever reads the row will see.

    Parameters
    ----------
    is_indexed: whether to ask the approximate index of the model; see `VectorIndexes`.
    """
    if is_indexed:
        found = await _nearest_by_index(postgres, selection, to, most)
    else:
        found = await _nearest_by_signs(postgres, selection, to, most)
    return found if len(found) == most else await nearest_of_all(postgres, selection, to, most)


class VectorIndexes:
    """Which models have an approximate index; `vector_index` makes it.

    That there is one is asked until there is, and then taken for granted: without it a search is right too.
    """

    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres
        self._indexed: set[int] = set()

    async def serve(self, org_id: UUID, model: int, live: int) -> bool:
        """Whether so many memories are too many to compare each, and there is another way."""
        if live <= _MOST_COMPARED:
            return False
        if model not in self._indexed and await _is_indexed(self._postgres, org_id, model):
            self._indexed.add(model)
        return model in self._indexed


async def _is_indexed(postgres: Postgres, org_id: UUID, model: int) -> bool:
    found = await postgres.fetch_one(
        org_id,
        "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(%s)",
        (f"ibex.memory_embeddings_{model}",),
        row=scalar_row,
    )
    return bool(found)


async def _nearest_by_signs(
    postgres: Postgres, selection: Selection, to: Nearest, most: int
) -> dict[UUID, float]:
    rows: list[TupleRow] = await postgres.fetch_all(
        selection.org_id, by_signs(selection), parameters(selection, to, most), row=tuple_row
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
                (str(EF_SEARCH), str(_MOST_SCANNED), str(_SCAN_MEMORY)),
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
        parameters(selection, to, most),
        row=tuple_row,
    )
    return dict(rows)


def by_signs(selection: Selection) -> LiteralString:
    """The statement that compares all, but of each vector only the signs, which are in an index.

    That is a sixteenth of what there is to read. The signs of two vectors differ in the share of dimensions
    that their angle is of half a circle (Charikar 2002, "Similarity estimation techniques from rounding
    algorithms").
    """
    return f"""
        WITH likely AS MATERIALIZED (
            SELECT stored.memory_id
            FROM ibex.memory_embeddings AS stored
            WHERE stored.model_id = %(model)s AND stored.partition_id = ANY(%(partition_ids)s)
            ORDER BY stored.signs <~> binary_quantize(%(vector)s::halfvec)
            LIMIT %(spare)s * %(most)s
        )
        SELECT memory.id, 1 - (stored.embedding <=> %(vector)s::halfvec)
        FROM likely
        JOIN ibex.memory_embeddings AS stored ON stored.memory_id = likely.memory_id
            AND stored.model_id = %(model)s
        JOIN ibex.memories AS memory ON memory.id = likely.memory_id
        WHERE {selection.condition()}
        ORDER BY stored.embedding <=> %(vector)s::halfvec
        LIMIT %(most)s
    """


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


def parameters(selection: Selection, to: Nearest, most: int) -> dict[str, Any]:
    """Of `by_index` and `by_signs`."""
    return {
        **selection.parameters(),
        "model": to.model,
        "vector": spelled(to.vector),
        "most": most,
        "spare": _SPARE,
    }
