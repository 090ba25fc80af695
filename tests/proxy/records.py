"""What a conversation left in the database."""

from typing import Any

import psycopg
from psycopg.rows import dict_row

from tests.faults.waiting import until
from tests.fixtures import Database


async def all_turns(database: Database, session_id: str | None = None) -> list[dict[str, Any]]:
    """The turns that are stored now, oldest first."""
    async with await psycopg.AsyncConnection.connect(database.superuser_dsn) as connection:
        cursor = connection.cursor(row_factory=dict_row)
        await cursor.execute(
            "SELECT * FROM ibex.session_turns WHERE %(id)s::text IS NULL OR session_id = %(id)s ORDER BY id",
            {"id": session_id},
        )
        return await cursor.fetchall()


async def turns(database: Database, count: int, session_id: str | None = None) -> list[dict[str, Any]]:
    """The turns, as soon as there are `count`; they are written after the answer."""

    async def are_there() -> bool:
        return len(await all_turns(database, session_id)) >= count

    await until(are_there, seconds=20.0)
    rows = await all_turns(database, session_id)
    assert len(rows) == count
    return rows


async def turn(database: Database, session_id: str) -> dict[str, Any]:
    """The one turn of a session."""
    [row] = await turns(database, 1, session_id)
    return row


async def sessions(database: Database) -> list[dict[str, Any]]:
    async with await psycopg.AsyncConnection.connect(database.superuser_dsn) as connection:
        cursor = connection.cursor(row_factory=dict_row)
        await cursor.execute(
            "SELECT s.*, a.slug AS agent FROM ibex.sessions AS s "
            "JOIN ibex.agents AS a ON a.org_id = s.org_id AND a.id = s.agent_id ORDER BY started_at"
        )
        return await cursor.fetchall()
