"""The SQL of the outbox."""

from typing import Any

import orjson
import psycopg

from ibex.outbox.event import Event

_EMIT = """
INSERT INTO ibex.outbox (org_id, id, type, at, data)
VALUES (%s, %s, %s, %s, %s::jsonb)
ON CONFLICT (org_id, id) DO NOTHING
"""


async def emit(connection: psycopg.AsyncConnection[Any], event: Event) -> None:
    """Write an event in the transaction that is open, so that it is passed on if and only if that commits."""
    data = orjson.dumps(event.data).decode()
    await connection.execute(_EMIT, (event.org_id, event.id, event.type, event.at, data))
