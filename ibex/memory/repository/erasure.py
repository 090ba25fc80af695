"""The SQL that erases memories for good, and writes down that it did."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from psycopg.rows import class_row, dict_row
from psycopg.types.json import Jsonb

from ibex.memory.repository.partitions import PartitionKey
from ibex.storage import Connection


@dataclass(frozen=True, slots=True)
class Doomed:
    """A memory that is to go, and where it is."""

    id: UUID
    partition_id: int
    agent_id: UUID | None
    user_id: str | None
    is_live: bool

    def partition(self, org_id: UUID) -> PartitionKey:
        return PartitionKey(org_id, self.agent_id, self.user_id)


@dataclass(frozen=True, slots=True)
class Certificate:
    """What was erased, without any of it.

    Parameters
    ----------
    memory_ids: of all that went: the one that was meant, what said the same, and what derived from them.
    erased: how much of each kind.
    """

    id: UUID
    memory_id: UUID
    memory_ids: Sequence[UUID]
    actor: str
    at: datetime
    erased: Mapping[str, int]


async def with_derived(connection: Connection, memory_id: UUID) -> list[Doomed]:
    """A memory, the near duplicates that were merged into it, and all that was derived from any of them."""
    async with connection.cursor(row_factory=class_row(Doomed)) as cursor:
        await cursor.execute(
            """
            WITH RECURSIVE doomed (org_id, id) AS (
                SELECT org_id, id FROM ibex.memories WHERE id = %s
                UNION
                SELECT doomed.org_id, related.id
                FROM doomed
                CROSS JOIN LATERAL (
                    SELECT memory_id AS id
                    FROM ibex.memory_relations
                    WHERE org_id = doomed.org_id AND other_id = doomed.id AND kind = 'derives_from'
                    UNION ALL
                    SELECT other_id
                    FROM ibex.memory_relations
                    WHERE org_id = doomed.org_id AND memory_id = doomed.id AND kind = 'merges'
                ) AS related
            )
            SELECT
                memory.id, memory.partition_id, partition.agent_id, partition.user_id,
                memory.status = 'active' AS is_live
            FROM doomed
            JOIN ibex.memories AS memory ON memory.org_id = doomed.org_id AND memory.id = doomed.id
            JOIN ibex.memory_partitions AS partition ON partition.org_id = memory.org_id
                AND partition.id = memory.partition_id
            """,
            (memory_id,),
        )
        return await cursor.fetchall()


async def erase(connection: Connection, ids: Sequence[UUID]) -> dict[str, int]:
    """Delete memories of locked partitions with all that belongs to them; how many rows of each kind."""
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(
            """
            SELECT
                (SELECT count(*) FROM ibex.memories WHERE id = ANY(%(ids)s)) AS memories,
                (SELECT count(*) FROM ibex.memory_versions WHERE memory_id = ANY(%(ids)s)) AS versions,
                (SELECT count(*) FROM ibex.memory_embeddings WHERE memory_id = ANY(%(ids)s)) AS vectors,
                (SELECT count(*) FROM ibex.memory_labels WHERE memory_id = ANY(%(ids)s)) AS labels,
                (SELECT count(*) FROM ibex.memory_claims WHERE memory_id = ANY(%(ids)s)) AS claims,
                (SELECT count(*) FROM ibex.memory_feedback WHERE memory_id = ANY(%(ids)s)) AS feedback,
                (
                    SELECT count(*) FROM ibex.memory_relations
                    WHERE memory_id = ANY(%(ids)s) OR other_id = ANY(%(ids)s)
                ) AS relations,
                (
                    SELECT count(*) FROM ibex.memory_conflicts
                    WHERE memory_id = ANY(%(ids)s) OR other_id = ANY(%(ids)s)
                ) AS conflicts
            """,
            {"ids": list(ids)},
        )
        counted = await cursor.fetchone()
    for memory_id in ids:
        await _unchain(connection, memory_id)
    await connection.execute("DELETE FROM ibex.memories WHERE id = ANY(%s)", (list(ids),))
    return dict(counted or {})


async def begin_epoch(connection: Connection, partition_id: int, changes: int, live: int) -> None:
    """Rows of a locked partition have gone: what anybody remembers of it is to be read anew."""
    await connection.execute(
        """
        UPDATE ibex.memory_partitions
        SET epoch = epoch + 1, revision = revision + %s, live = live - %s
        WHERE id = %s
        """,
        (changes, live, partition_id),
    )


async def certify(
    connection: Connection,
    org_id: UUID,
    certificate_id: UUID,
    memory_id: UUID,
    memory_ids: Sequence[UUID],
    actor: str,
    erased: Mapping[str, int],
) -> Certificate:
    cursor = await connection.execute(
        """
        INSERT INTO ibex.memory_erasures (org_id, memory_id, id, actor, erased)
        SELECT %s, unnest(%s::uuid[]), %s, %s, %s
        RETURNING at
        """,
        (org_id, list(memory_ids), certificate_id, actor, Jsonb(dict(erased))),
    )
    (at,) = (await cursor.fetchall())[0]
    return Certificate(certificate_id, memory_id, memory_ids, actor, at, erased)


async def _unchain(connection: Connection, memory_id: UUID) -> None:
    """Take a memory out of its chain: what it took the place of, its successor has now."""
    cursor = await connection.execute(
        """
        DELETE FROM ibex.memory_relations
        WHERE kind = 'supersedes' AND (memory_id = %(id)s OR other_id = %(id)s)
        RETURNING org_id, memory_id, other_id
        """,
        {"id": memory_id},
    )
    links = await cursor.fetchall()
    earlier = [other_id for _, later_id, other_id in links if later_id == memory_id]
    for org_id, successor, other_id in links:
        if other_id == memory_id:
            await connection.execute(
                """
                INSERT INTO ibex.memory_relations (org_id, memory_id, kind, other_id)
                SELECT %s, %s, 'supersedes', unnest(%s::uuid[])
                """,
                (org_id, successor, earlier),
            )
