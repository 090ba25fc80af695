"""The SQL that stores vectors, and that finds the memories which wait for one."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

import numpy as np
import orjson
from numpy.typing import NDArray
from psycopg.rows import class_row, scalar_row

from ibex.memory.embedding import EmbeddingModel
from ibex.storage import Connection, Postgres


@dataclass(frozen=True, slots=True)
class NewEmbedding:
    """The vector of one version of a memory's text; float32, shape (dimensions,), unit norm."""

    memory_id: UUID
    version: int
    vector: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Unembedded:
    """A text without a vector."""

    id: UUID
    partition_id: int
    version: int
    content: str = field(repr=False)
    speaker: str | None


def spelled(vector: NDArray[np.float32]) -> str:
    """A vector as pgvector reads it."""
    return orjson.dumps(np.ascontiguousarray(vector), option=orjson.OPT_SERIALIZE_NUMPY).decode()


async def model_id(postgres: Postgres, model: EmbeddingModel) -> int:
    """The number that the database has given to a model; given now if it never was."""
    known = {"name": model.name, "version": model.version, "dimensions": model.dimensions}
    async with postgres.transaction(None) as connection, connection.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(
            """
            INSERT INTO ibex.embedding_models (name, version, dimensions)
            SELECT %(name)s, %(version)s, %(dimensions)s
            WHERE NOT EXISTS (
                SELECT FROM ibex.embedding_models
                WHERE name = %(name)s AND version = %(version)s AND dimensions = %(dimensions)s
            )
            ON CONFLICT DO NOTHING
            """,
            known,
        )
        await cursor.execute(
            """
            SELECT id FROM ibex.embedding_models
            WHERE name = %(name)s AND version = %(version)s AND dimensions = %(dimensions)s
            """,
            known,
        )
        (found,) = await cursor.fetchall()
        return int(found)


async def store(
    connection: Connection,
    org_id: UUID,
    partition_id: int,
    model: int,
    embeddings: Sequence[NewEmbedding],
) -> None:
    """Keep vectors of memories that are stored, in the place of those of earlier versions."""
    await connection.execute(
        """
        INSERT INTO ibex.memory_embeddings (org_id, memory_id, model_id, partition_id, version, embedding)
        SELECT %s, memory_id, %s, %s, version, embedding::halfvec
        FROM unnest(%s::uuid[], %s::integer[], %s::text[]) AS row (memory_id, version, embedding)
        ON CONFLICT (org_id, memory_id, model_id)
            DO UPDATE SET version = excluded.version, embedding = excluded.embedding
        """,
        (
            org_id,
            model,
            partition_id,
            [each.memory_id for each in embeddings],
            [each.version for each in embeddings],
            [spelled(each.vector) for each in embeddings],
        ),
    )


async def next_organization_to_embed(postgres: Postgres, after: UUID | None) -> UUID | None:
    """The first after another that has texts without vectors; with None, the first of all."""
    return await postgres.fetch_one(
        None,
        "SELECT id FROM ibex.next_organization_to_embed(%s) AS id WHERE id IS NOT NULL",
        (after,),
        row=scalar_row,
    )


async def unembedded(postgres: Postgres, org_id: UUID, after: UUID | None, limit: int) -> list[Unembedded]:
    """Live texts of an organization without vectors, in the order of their ids."""
    return await postgres.fetch_all(
        org_id,
        """
        SELECT id, partition_id, version, content, coalesce(speaker, role) AS speaker
        FROM ibex.memories
        WHERE status = 'active' AND embedded_version < version AND (%(after)s::uuid IS NULL OR id > %(after)s)
        ORDER BY id
        LIMIT %(limit)s
        """,
        {"after": after, "limit": limit},
        row=class_row(Unembedded),
    )


async def still_unembedded(connection: Connection, partition_id: int, ids: Sequence[UUID]) -> dict[UUID, int]:
    """Those of some memories of a locked partition that still wait, with their versions."""
    cursor = await connection.execute(
        """
        SELECT id, version
        FROM ibex.memories
        WHERE partition_id = %s AND id = ANY(%s) AND status = 'active' AND embedded_version < version
        """,
        (partition_id, list(ids)),
    )
    return {row[0]: row[1] for row in await cursor.fetchall()}


async def mark_embedded(
    connection: Connection, partition_id: int, revisions: Sequence[tuple[UUID, int]]
) -> None:
    """Memories of a locked partition now have the vectors of their texts; each with its new revision."""
    await connection.execute(
        """
        UPDATE ibex.memories AS memory
        SET embedded_version = memory.version, revision = row.revision
        FROM unnest(%s::uuid[], %s::bigint[]) AS row (id, revision)
        WHERE memory.partition_id = %s AND memory.id = row.id
        """,
        ([each[0] for each in revisions], [each[1] for each in revisions], partition_id),
    )
