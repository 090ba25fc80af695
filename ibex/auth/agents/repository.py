"""The SQL of agents."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.rows import class_row, scalar_row
from psycopg.types.json import Jsonb

from ibex.storage import Connection, Postgres


@dataclass(frozen=True, slots=True)
class Agent:
    id: UUID
    slug: str
    name: str
    description: str
    status: str
    config: dict[str, Any]
    created_at: datetime
    updated_at: datetime


_COLUMNS = """
    SELECT id, slug, name, description, status, config, created_at, updated_at
    FROM ibex.agents
"""


async def insert(
    connection: Connection,
    org_id: UUID,
    agent_id: UUID,
    slug: str,
    name: str,
    description: str,
    config: Mapping[str, Any],
) -> None:
    await connection.execute(
        """
        INSERT INTO ibex.agents (org_id, id, slug, name, description, config)
        VALUES (%s, %s, %s, %s, %s, %s)
        """,
        (org_id, agent_id, slug, name, description, Jsonb(dict(config))),
    )


async def count(connection: Connection) -> int:
    async with connection.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute("SELECT count(*) FROM ibex.agents")
        return int(await cursor.fetchone() or 0)


async def page(postgres: Postgres, org_id: UUID, after: UUID | None, limit: int) -> list[Agent]:
    """Agents in the order of their ids, which is that of their creation."""
    return await postgres.fetch_all(
        org_id,
        _COLUMNS + "WHERE %s::uuid IS NULL OR id > %s ORDER BY id LIMIT %s",
        (after, after, limit),
        row=class_row(Agent),
    )


async def find(postgres: Postgres, org_id: UUID, agent_id: UUID) -> Agent | None:
    return await postgres.fetch_one(org_id, _COLUMNS + "WHERE id = %s", (agent_id,), row=class_row(Agent))


async def find_by_slug(postgres: Postgres, org_id: UUID, slug: str) -> Agent | None:
    return await postgres.fetch_one(org_id, _COLUMNS + "WHERE slug = %s", (slug,), row=class_row(Agent))


async def update(
    connection: Connection,
    agent_id: UUID,
    name: str | None,
    description: str | None,
    config: Mapping[str, Any] | None,
) -> bool:
    """Whether there is such an agent; what is None stays."""
    cursor = await connection.execute(
        """
        UPDATE ibex.agents
        SET name = coalesce(%s, name),
            description = coalesce(%s, description),
            config = coalesce(%s, config),
            updated_at = now()
        WHERE id = %s
        """,
        (name, description, None if config is None else Jsonb(dict(config)), agent_id),
    )
    return cursor.rowcount > 0


async def set_status(connection: Connection, agent_id: UUID, status: str) -> bool:
    """Whether there is such an agent."""
    cursor = await connection.execute(
        "UPDATE ibex.agents SET status = %s, updated_at = now() WHERE id = %s", (status, agent_id)
    )
    return cursor.rowcount > 0
