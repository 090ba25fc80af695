"""The SQL that finds candidates by words and by age, and reads them with the turns around them.

Every filter is applied before a limit: whatever the others do not reach, the filter alone does not hide.
"""

from collections.abc import Sequence
from typing import LiteralString
from uuid import UUID

from psycopg.rows import TupleRow, class_row, scalar_row, tuple_row

from ibex.memory.repository.index_rows import CURRENT_ROWS, IndexRow
from ibex.memory.repository.selection import Selection
from ibex.storage import Postgres

# A turn of a conversation is judged together with so many before and after it.
_NEIGHBOURS = 2


async def with_words(
    postgres: Postgres, selection: Selection, sets: Sequence[Sequence[str]], most: int
) -> list[list[UUID]]:
    """For each set of one or two words, up to `most` memories of each partition that have all of them."""
    found: list[list[UUID]] = [[] for _ in sets]
    rows: list[TupleRow] = await postgres.fetch_all(
        selection.org_id,
        """
        SELECT number, memory_id
        FROM ibex.memories_with_words(
            %(partition_ids)s::bigint[], %(words)s::text[], %(second_words)s::text[], %(most)s,
            %(session_id)s, %(kinds)s, %(tags_any)s, %(tags_all)s, %(labels)s, %(only_session)s,
            %(observed_from)s, %(observed_until)s, %(min_confidence)s::real, %(pinned)s
        )
        """,
        {
            **selection.parameters(),
            "words": [each[0] for each in sets],
            "second_words": [each[1] if len(each) > 1 else None for each in sets],
            "most": most,
        },
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
