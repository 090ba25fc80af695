"""The SQL of conflicts: two memories that cannot both hold."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, LiteralString
from uuid import UUID

from psycopg.rows import class_row

from ibex.storage import Connection, Postgres

ConflictStatus = Literal["open", "resolved"]


@dataclass(frozen=True, slots=True)
class StoredConflict:
    """`memory_id` is the later one. `agent_id` is that of both."""

    id: UUID
    agent_id: UUID
    memory_id: UUID
    other_id: UUID
    reason: str
    status: ConflictStatus
    created_at: datetime
    resolved_at: datetime | None


@dataclass(frozen=True, slots=True)
class Raised:
    """A question that was put about a memory and another one."""

    memory_id: UUID
    other_id: UUID
    status: ConflictStatus


_CONFLICTS: LiteralString = """
    SELECT conflict.id, memory.agent_id, conflict.memory_id, conflict.other_id, conflict.reason,
        conflict.status, conflict.created_at, conflict.resolved_at
    FROM ibex.memory_conflicts AS conflict
    JOIN ibex.memories AS memory ON memory.org_id = conflict.org_id AND memory.id = conflict.memory_id
"""


async def page(
    postgres: Postgres,
    org_id: UUID,
    agent_id: UUID | None,
    status: ConflictStatus,
    after: UUID | None,
    limit: int,
) -> list[StoredConflict]:
    """In the order in which they arose."""
    return await postgres.fetch_all(
        org_id,
        _CONFLICTS
        + """
        WHERE conflict.status = %(status)s
            AND (%(agent_id)s::uuid IS NULL OR memory.agent_id = %(agent_id)s)
            AND (%(after)s::uuid IS NULL OR conflict.id > %(after)s)
        ORDER BY conflict.id
        LIMIT %(limit)s
        """,
        {"status": status, "agent_id": agent_id, "after": after, "limit": limit},
        row=class_row(StoredConflict),
    )


async def find(postgres: Postgres, org_id: UUID, conflict_id: UUID) -> StoredConflict | None:
    return await postgres.fetch_one(
        org_id, _CONFLICTS + "WHERE conflict.id = %s", (conflict_id,), row=class_row(StoredConflict)
    )


async def between(connection: Connection, ids: Sequence[UUID]) -> list[Raised]:
    """Of some memories of a locked partition, the conflicts with others, seen from each of them."""
    async with connection.cursor(row_factory=class_row(Raised)) as cursor:
        await cursor.execute(
            """
            SELECT memory_id, other_id, status FROM ibex.memory_conflicts WHERE memory_id = ANY(%(ids)s)
            UNION ALL
            SELECT other_id, memory_id, status FROM ibex.memory_conflicts WHERE other_id = ANY(%(ids)s)
            """,
            {"ids": list(ids)},
        )
        return await cursor.fetchall()


async def withdraw(connection: Connection, memory_id: UUID, others: Sequence[UUID]) -> None:
    """Resolve what a memory contradicted until its text changed."""
    await connection.execute(
        """
        UPDATE ibex.memory_conflicts SET status = 'resolved', resolved_at = now()
        WHERE status = 'open'
            AND ((memory_id = %(id)s AND other_id = ANY(%(others)s))
                OR (other_id = %(id)s AND memory_id = ANY(%(others)s)))
        """,
        {"id": memory_id, "others": list(others)},
    )


async def resolve(connection: Connection, conflict_id: UUID) -> bool:
    """Whether it was open until now."""
    cursor = await connection.execute(
        """
        UPDATE ibex.memory_conflicts SET status = 'resolved', resolved_at = now()
        WHERE id = %s AND status = 'open'
        """,
        (conflict_id,),
    )
    return cursor.rowcount > 0


async def supersede(connection: Connection, org_id: UUID, memory_id: UUID, other_id: UUID) -> None:
    """One takes the place of the other, unless another one has done so already."""
    await connection.execute(
        """
        INSERT INTO ibex.memory_relations (org_id, memory_id, kind, other_id)
        VALUES (%s, %s, 'supersedes', %s)
        ON CONFLICT DO NOTHING
        """,
        (org_id, memory_id, other_id),
    )


async def open_between(
    connection: Connection, org_id: UUID, conflict_id: UUID, memory_id: UUID, other_id: UUID, reason: str
) -> None:
    """Say that two memories contradict each other; once."""
    await connection.execute(
        """
        INSERT INTO ibex.memory_conflicts (org_id, id, memory_id, other_id, reason)
        VALUES (%s, %s, %s, %s, %s)
        ON CONFLICT (org_id, memory_id, other_id) DO UPDATE SET status = 'open', resolved_at = NULL
        """,
        (org_id, conflict_id, memory_id, other_id, reason),
    )
