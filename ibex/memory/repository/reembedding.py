"""The SQL that finds memories which another model has embedded, and this one has not."""

from collections.abc import Sequence
from uuid import UUID

from psycopg.rows import class_row, scalar_row

from ibex.memory.repository.embeddings import Unembedded
from ibex.storage import Connection, Postgres

# A text that has changed loses the vectors of all models: one that is there is of the present text. What is
# live no longer is searched in the past.
_MISSING = """
    memory.status NOT IN ('deleted', 'quarantined')
    AND NOT EXISTS (
        SELECT FROM ibex.memory_embeddings AS stored
        WHERE stored.org_id = memory.org_id
            AND stored.memory_id = memory.id
            AND stored.model_id = %(model)s
    )
"""


async def count_missing(postgres: Postgres, org_id: UUID, model: int) -> int:
    found = await postgres.fetch_one(
        org_id,
        f"SELECT count(*) FROM ibex.memories AS memory WHERE {_MISSING}",
        {"model": model},
        row=scalar_row,
    )
    return int(found or 0)


async def missing(
    postgres: Postgres, org_id: UUID, model: int, after: UUID | None, limit: int
) -> list[Unembedded]:
    """Memories of an organization without a vector of a model, in the order of their ids."""
    return await postgres.fetch_all(
        org_id,
        f"""
        SELECT memory.id, memory.partition_id, memory.version, memory.content,
            coalesce(memory.speaker, memory.role) AS speaker
        FROM ibex.memories AS memory
        WHERE {_MISSING} AND (%(after)s::uuid IS NULL OR memory.id > %(after)s)
        ORDER BY memory.id
        LIMIT %(limit)s
        """,
        {"model": model, "after": after, "limit": limit},
        row=class_row(Unembedded),
    )


async def unchanged(connection: Connection, partition_id: int, seen: Sequence[Unembedded]) -> set[UUID]:
    """Those of some memories of a locked partition that still have the version they were seen in."""
    cursor = await connection.execute(
        """
        SELECT memory.id
        FROM unnest(%s::uuid[], %s::integer[]) AS seen (id, version)
        JOIN ibex.memories AS memory ON memory.id = seen.id AND memory.version = seen.version
        WHERE memory.partition_id = %s
        """,
        ([each.id for each in seen], [each.version for each in seen], partition_id),
    )
    return {row[0] for row in await cursor.fetchall()}


async def tell(connection: Connection, partition_id: int, revisions: Sequence[tuple[UUID, int]]) -> None:
    """Memories of a locked partition have a vector more: whoever searches with it is to read them anew."""
    await connection.execute(
        """
        UPDATE ibex.memories AS memory
        SET revision = row.revision
        FROM unnest(%s::uuid[], %s::bigint[]) AS row (id, revision)
        WHERE memory.partition_id = %s AND memory.id = row.id
        """,
        ([each[0] for each in revisions], [each[1] for each in revisions], partition_id),
    )


async def drop_others(postgres: Postgres, org_id: UUID, model: int, limit: int) -> int:
    """Delete some vectors of all other models; how many those were."""
    return await postgres.execute(
        org_id,
        """
        DELETE FROM ibex.memory_embeddings AS stored
        USING (
            SELECT org_id, memory_id, model_id
            FROM ibex.memory_embeddings
            WHERE model_id <> %s
            LIMIT %s
        ) AS other
        WHERE stored.org_id = other.org_id
            AND stored.memory_id = other.memory_id
            AND stored.model_id = other.model_id
        """,
        (model, limit),
    )
