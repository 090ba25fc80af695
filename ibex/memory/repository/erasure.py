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
    """What was erased, without any of it. `erased` says how much of each kind."""

    id: UUID
    memory_id: UUID
    actor: str
    at: datetime
    erased: Mapping[str, int]


async def with_derived(connection: Connection, memory_id: UUID) -> list[Doomed]:
    """A memory and all that was derived from it, directly or not."""
    async with connection.cursor(row_factory=class_row(Doomed)) as cursor:
        await cursor.execute(
            """
            WITH RECURSIVE doomed (org_id, id) AS (
                SELECT org_id, id FROM ibex.memories WHERE id = %s
                UNION
                SELECT relation.org_id, relation.memory_id
                FROM doomed
                JOIN ibex.memory_relations AS relation ON relation.org_id = doomed.org_id
                    AND relation.other_id = doomed.id
                    AND relation.kind = 'derives_from'
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
    """Delete memories of locked partitions with all that belongs to them; how many rows of each kind.

    A chain in which one is missing is closed: what it took the place of is now what its successor did.
    """
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
    neighbours = await connection.execute(
        """
        SELECT later.org_id, later.memory_id, earlier.other_id
        FROM ibex.memory_relations AS later
        JOIN ibex.memory_relations AS earlier ON earlier.org_id = later.org_id
            AND earlier.memory_id = later.other_id
            AND earlier.kind = 'supersedes'
        WHERE later.kind = 'supersedes'
            AND later.other_id = ANY(%(ids)s)
            AND NOT later.memory_id = ANY(%(ids)s)
            AND NOT earlier.other_id = ANY(%(ids)s)
        """,
        {"ids": list(ids)},
    )
    links = await neighbours.fetchall()
    await connection.execute("DELETE FROM ibex.memories WHERE id = ANY(%s)", (list(ids),))
    for org_id, memory_id, other_id in links:
        await connection.execute(
            """
            INSERT INTO ibex.memory_relations (org_id, memory_id, kind, other_id)
            VALUES (%s, %s, 'supersedes', %s)
            """,
            (org_id, memory_id, other_id),
        )
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
    actor: str,
    erased: Mapping[str, int],
) -> Certificate:
    async with connection.cursor(row_factory=class_row(Certificate)) as cursor:
        await cursor.execute(
            """
            INSERT INTO ibex.memory_erasures (org_id, id, memory_id, actor, erased)
            VALUES (%s, %s, %s, %s, %s)
            RETURNING id, memory_id, actor, at, erased
            """,
            (org_id, certificate_id, memory_id, actor, Jsonb(dict(erased))),
        )
        (certificate,) = await cursor.fetchall()
        return certificate
