"""The SQL of feedback: who said of a memory that it helped, or that it did not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from psycopg.rows import TupleRow, scalar_row, tuple_row

from ibex.storage import Connection, Postgres


@dataclass(frozen=True, slots=True)
class NewFeedback:
    """A signal about a memory; `id` is its own."""

    id: UUID
    memory_id: UUID
    signal: str
    weight: float
    source: str


@dataclass(frozen=True, slots=True)
class Moved:
    """What has become of a memory: its posterior, and by how much it was used more."""

    memory_id: UUID
    revision: int
    helpful: float
    unhelpful: float
    uses: int
    used_at: datetime | None


async def partitions_of(postgres: Postgres, org_id: UUID, memory_ids: Sequence[UUID]) -> Mapping[UUID, int]:
    """Where those of the memories are that may be told."""
    rows: list[TupleRow] = await postgres.fetch_all(
        org_id,
        "SELECT id, partition_id FROM ibex.memories WHERE id = ANY(%s) AND status = 'active'",
        (list(memory_ids),),
        row=tuple_row,
    )
    return dict(rows)


async def insert(
    connection: Connection,
    org_id: UUID,
    feedback_id: UUID,
    memory_id: UUID,
    signal: str,
    weight: float,
    source: str,
    actor: str,
) -> None:
    await connection.execute(
        """
        INSERT INTO ibex.memory_feedback (org_id, id, memory_id, signal, weight, source, actor)
        VALUES (%s, %s, %s, %s, %s, %s, %s)
        """,
        (org_id, feedback_id, memory_id, signal, weight, source, actor),
    )


async def insert_new(
    connection: Connection, org_id: UUID, actor: str, feedback: Sequence[NewFeedback]
) -> set[UUID]:
    """Store what is not there yet; the ids of those that were not."""
    async with connection.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(
            """
            INSERT INTO ibex.memory_feedback (org_id, id, memory_id, signal, weight, source, actor)
            SELECT %s, id, memory_id, signal, weight, source, %s
            FROM unnest(%s::uuid[], %s::uuid[], %s::text[], %s::real[], %s::text[])
                AS row (id, memory_id, signal, weight, source)
            ON CONFLICT (org_id, id) DO NOTHING
            RETURNING id
            """,
            (
                org_id,
                actor,
                [each.id for each in feedback],
                [each.memory_id for each in feedback],
                [each.signal for each in feedback],
                [each.weight for each in feedback],
                [each.source for each in feedback],
            ),
        )
        return set(await cursor.fetchall())


async def move(connection: Connection, moved: Sequence[Moved]) -> None:
    """For a locked partition. No new versions: they say no other thing than before."""
    await connection.execute(
        """
        UPDATE ibex.memories AS memory
        SET helpful = row.helpful,
            unhelpful = row.unhelpful,
            uses = memory.uses + row.uses,
            last_used_at = greatest(memory.last_used_at, row.used_at),
            revision = row.revision
        FROM unnest(%s::uuid[], %s::bigint[], %s::real[], %s::real[], %s::bigint[], %s::timestamptz[])
            AS row (id, revision, helpful, unhelpful, uses, used_at)
        WHERE memory.id = row.id
        """,
        (
            [each.memory_id for each in moved],
            [each.revision for each in moved],
            [each.helpful for each in moved],
            [each.unhelpful for each in moved],
            [each.uses for each in moved],
            [each.used_at for each in moved],
        ),
    )
