"""The SQL of the outbox."""

from typing import Any

import orjson
import psycopg
from psycopg.rows import class_row

from ibex.outbox.event import Event

_EMIT = """
INSERT INTO ibex.outbox (org_id, id, type, at, data)
VALUES (%s, %s, %s, %s, %s::jsonb)
ON CONFLICT (org_id, id) DO NOTHING
"""
_TAKE = """
DELETE FROM ibex.outbox
WHERE id IN (SELECT id FROM ibex.outbox ORDER BY id LIMIT %s)
RETURNING org_id, id, type, at, data
"""


async def emit(connection: psycopg.AsyncConnection[Any], event: Event) -> None:
    """Write an event in the transaction that is open, so that it is passed on if and only if that commits."""
    data = orjson.dumps(event.data).decode()
    await connection.execute(_EMIT, (event.org_id, event.id, event.type, event.at, data))


async def take(connection: psycopg.AsyncConnection[Any], most: int) -> list[Event]:
    """Remove the oldest events of the organization; they come back if the transaction does not commit."""
    async with connection.cursor(row_factory=class_row(Event)) as cursor:
        await cursor.execute(_TAKE, (most,))
        return sorted(await cursor.fetchall(), key=lambda event: event.id)
