"""The SQL that changes one memory: a new version of it, under the lock of its partition."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from psycopg.rows import BaseRowFactory, class_row, scalar_row
from psycopg.types.json import Jsonb

from ibex.memory.memory import Memory
from ibex.memory.repository.memory_rows import COLUMNS, memory_row
from ibex.storage import Connection, Postgres

_row: BaseRowFactory[Memory] = memory_row


@dataclass(frozen=True, slots=True)
class Place:
    """The partition that a memory is in, and the hash that no other live one there may have."""

    partition_id: int
    content_hash: bytes


@dataclass(frozen=True, slots=True)
class NewVersion:
    """A memory as it is to be from now on.

    Parameters
    ----------
    words: the stems of its text, each once; None when the text stays as it was.
    action: `noun.verb`.
    since: from when it says how things were; None is from now on.
    """

    memory: Memory
    revision: int
    content_hash: bytes
    words: Sequence[str] | None
    action: str
    since: datetime | None


async def place(postgres: Postgres, org_id: UUID, memory_id: UUID) -> Place | None:
    return await postgres.fetch_one(
        org_id,
        "SELECT partition_id, content_hash FROM ibex.memories WHERE id = %s",
        (memory_id,),
        row=class_row(Place),
    )


async def current(connection: Connection, memory_id: UUID) -> Memory | None:
    """A memory of a locked partition."""
    async with connection.cursor(row_factory=_row) as cursor:
        await cursor.execute(
            f"SELECT {COLUMNS} FROM ibex.memories AS memory WHERE memory.id = %s", (memory_id,)
        )
        return await cursor.fetchone()


async def current_ones(connection: Connection, ids: Sequence[UUID]) -> list[Memory]:
    """Memories of a locked partition."""
    async with connection.cursor(row_factory=_row) as cursor:
        await cursor.execute(
            f"SELECT {COLUMNS} FROM ibex.memories AS memory WHERE memory.id = ANY(%s)", (list(ids),)
        )
        return await cursor.fetchall()


async def hash_of(connection: Connection, memory_id: UUID) -> bytes:
    async with connection.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute("SELECT content_hash FROM ibex.memories WHERE id = %s", (memory_id,))
        (found,) = await cursor.fetchall()
        return bytes(found)


async def apply(connection: Connection, actor: str, new: NewVersion) -> None:
    """Write a new version; for a locked partition. What belongs to an earlier text goes."""
    await _update(connection, actor, new)
    if new.words is not None:
        for table in ("memory_embeddings", "memory_claims"):
            await connection.execute(f"DELETE FROM ibex.{table} WHERE memory_id = %s", (new.memory.id,))


async def replace_labels(connection: Connection, org_id: UUID, memory: Memory) -> None:
    await connection.execute("DELETE FROM ibex.memory_labels WHERE memory_id = %s", (memory.id,))
    if memory.labels:
        await connection.execute(
            """
            INSERT INTO ibex.memory_labels (org_id, memory_id, label, confidence)
            SELECT %s, %s, label, confidence FROM unnest(%s::text[], %s::real[]) AS row (label, confidence)
            """,
            (
                org_id,
                memory.id,
                [label.name for label in memory.labels],
                [label.confidence for label in memory.labels],
            ),
        )


async def reopen(connection: Connection, memory_id: UUID) -> list[UUID]:
    """Take back that others have taken the place of a memory; which live ones these are."""
    async with connection.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(
            """
            WITH broken AS (
                DELETE FROM ibex.memory_relations
                WHERE other_id = %s AND kind IN ('supersedes', 'merges')
                RETURNING org_id, memory_id
            )
            SELECT memory.id
            FROM broken
            JOIN ibex.memories AS memory ON memory.org_id = broken.org_id AND memory.id = broken.memory_id
            WHERE memory.status = 'active'
            """,
            (memory_id,),
        )
        return await cursor.fetchall()


async def set_feedback(
    connection: Connection, memory_id: UUID, revision: int, helpful: float, unhelpful: float
) -> None:
    """No new version: it says no other thing than before."""
    await connection.execute(
        "UPDATE ibex.memories SET helpful = %s, unhelpful = %s, revision = %s WHERE id = %s",
        (helpful, unhelpful, revision, memory_id),
    )


async def _update(connection: Connection, actor: str, new: NewVersion) -> None:
    memory = new.memory
    await connection.execute(
        """
        WITH changed AS (
            UPDATE ibex.memories
            SET revision = %(revision)s,
                version = %(version)s,
                kind = %(kind)s,
                status = %(status)s,
                content = %(content)s,
                content_hash = %(content_hash)s,
                words = coalesce(array_to_tsvector(%(words)s::text[]), words),
                confidence = %(confidence)s,
                risk = %(risk)s,
                pinned = %(pinned)s,
                tags = %(tags)s,
                metadata = %(metadata)s,
                valid_from = %(valid_from)s,
                valid_until = %(valid_until)s,
                embedded_version = CASE WHEN %(is_embedded)s THEN %(version)s ELSE 0 END,
                updated_at = now()
            WHERE id = %(id)s
            RETURNING *
        )
        INSERT INTO ibex.memory_versions (
            org_id, memory_id, version, content, kind, status, confidence, pinned, tags, metadata, valid_from,
            valid_until, effective_from, actor, action
        )
        SELECT
            org_id, id, version, content, kind, status, confidence, pinned, tags, metadata, valid_from,
            valid_until, coalesce(%(since)s, now()), %(actor)s, %(action)s
        FROM changed
        """,
        {
            "id": memory.id,
            "revision": new.revision,
            "version": memory.version,
            "kind": memory.kind,
            "status": memory.status,
            "content": memory.content,
            "content_hash": new.content_hash,
            "words": None if new.words is None else list(new.words),
            "confidence": memory.confidence,
            "risk": memory.risk,
            "pinned": memory.pinned,
            "tags": list(memory.tags),
            "metadata": Jsonb(dict(memory.metadata)),
            "valid_from": memory.valid_from,
            "valid_until": memory.valid_until,
            "is_embedded": memory.is_embedded,
            "actor": actor,
            "action": new.action,
            "since": new.since,
        },
    )
