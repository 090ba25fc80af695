"""The SQL of webhooks."""

from collections.abc import Sequence
from datetime import datetime
from typing import LiteralString
from uuid import UUID

from psycopg.rows import class_row, scalar_row

from ibex.notifications.webhook import Reason, Webhook
from ibex.storage import Connection, Postgres

_WEBHOOKS: LiteralString = """
    SELECT id, url, description, events, status, reason, failing_since, failed_in_a_row, created_at,
        updated_at
    FROM ibex.webhooks
"""


async def insert(
    connection: Connection,
    org_id: UUID,
    webhook_id: UUID,
    url: str,
    description: str,
    events: Sequence[str],
) -> None:
    await connection.execute(
        """
        INSERT INTO ibex.webhooks (org_id, id, url, description, events)
        VALUES (%s, %s, %s, %s, %s)
        """,
        (org_id, webhook_id, url, description, list(events)),
    )


async def count(connection: Connection) -> int:
    async with connection.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute("SELECT count(*) FROM ibex.webhooks")
        return int(await cursor.fetchone() or 0)


async def page(postgres: Postgres, org_id: UUID, after: UUID | None, limit: int) -> list[Webhook]:
    """In the order of their creation."""
    return await postgres.fetch_all(
        org_id,
        _WEBHOOKS + "WHERE %s::uuid IS NULL OR id > %s ORDER BY id LIMIT %s",
        (after, after, limit),
        row=class_row(Webhook),
    )


async def find(postgres: Postgres, org_id: UUID, webhook_id: UUID) -> Webhook | None:
    return await postgres.fetch_one(
        org_id, _WEBHOOKS + "WHERE id = %s", (webhook_id,), row=class_row(Webhook)
    )


async def lock(connection: Connection, webhook_id: UUID) -> Webhook | None:
    """Nobody changes it, or tells it of more, up to the end of the transaction."""
    async with connection.cursor(row_factory=class_row(Webhook)) as cursor:
        await cursor.execute(_WEBHOOKS + "WHERE id = %s FOR NO KEY UPDATE", (webhook_id,))
        return await cursor.fetchone()


async def hold_enabled(connection: Connection) -> list[Webhook]:
    """Those that are enabled, and stay so up to the end of the transaction."""
    async with connection.cursor(row_factory=class_row(Webhook)) as cursor:
        await cursor.execute(_WEBHOOKS + "WHERE status = 'enabled' ORDER BY id FOR SHARE")
        return await cursor.fetchall()


async def update(
    connection: Connection,
    webhook_id: UUID,
    url: str | None,
    description: str | None,
    events: Sequence[str] | None,
) -> None:
    """What is None stays."""
    await connection.execute(
        """
        UPDATE ibex.webhooks
        SET url = coalesce(%s, url),
            description = coalesce(%s, description),
            events = coalesce(%s, events),
            updated_at = now()
        WHERE id = %s
        """,
        (url, description, None if events is None else list(events), webhook_id),
    )


async def enable(connection: Connection, webhook_id: UUID) -> None:
    """Its failures of before are forgotten."""
    await connection.execute(
        """
        UPDATE ibex.webhooks
        SET status = 'enabled', reason = NULL, failing_since = NULL, failed_in_a_row = 0, updated_at = now()
        WHERE id = %s
        """,
        (webhook_id,),
    )


async def disable(connection: Connection, webhook_id: UUID, reason: Reason) -> None:
    await connection.execute(
        """
        UPDATE ibex.webhooks SET status = 'disabled', reason = %s, updated_at = now() WHERE id = %s
        """,
        (reason, webhook_id),
    )


async def count_failures(
    connection: Connection, webhook_id: UUID, failing_since: datetime | None, failed_in_a_row: int
) -> None:
    await connection.execute(
        "UPDATE ibex.webhooks SET failing_since = %s, failed_in_a_row = %s WHERE id = %s",
        (failing_since, failed_in_a_row, webhook_id),
    )


async def remove(connection: Connection, webhook_id: UUID) -> bool:
    """Whether there was such a webhook; its deliveries go with it."""
    cursor = await connection.execute("DELETE FROM ibex.webhooks WHERE id = %s", (webhook_id,))
    return cursor.rowcount > 0
