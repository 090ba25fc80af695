"""The SQL of deliveries, for whoever looks at them or wants them done again."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString
from uuid import UUID

import orjson
from psycopg.rows import class_row

from ibex.notifications.webhook import Attempt, Delivery, DeliveryStatus
from ibex.outbox import Event
from ibex.storage import Connection, Postgres

_COLUMNS: LiteralString = """
    SELECT id, webhook_id, event_id, type, at, data, status, attempts,
        CASE WHEN status = 'pending' THEN greatest(due_at, claimed_until) END AS due_at,
        created_at, finished_at
"""
_DELIVERIES: LiteralString = _COLUMNS + " FROM ibex.webhook_deliveries "


@dataclass(frozen=True, slots=True)
class NewDelivery:
    """One event for one webhook, due at once."""

    id: UUID
    webhook_id: UUID
    event_id: UUID
    type: str
    at: datetime
    data: object

    @classmethod
    def of(cls, delivery_id: UUID, webhook_id: UUID, event: Event) -> "NewDelivery":
        return cls(delivery_id, webhook_id, event.id, event.type, event.at, event.data)


async def insert(
    connection: Connection, org_id: UUID, deliveries: Sequence[NewDelivery], due_at: datetime
) -> None:
    """Those of which the webhook was told before are left as they are."""
    await connection.execute(
        """
        INSERT INTO ibex.webhook_deliveries (org_id, id, webhook_id, event_id, type, at, data, due_at)
        SELECT %(org_id)s, id, webhook_id, event_id, type, at, data, %(due_at)s
        FROM json_to_recordset(%(rows)s::json) AS row (
            id uuid, webhook_id uuid, event_id uuid, type text, at timestamptz, data jsonb
        )
        ON CONFLICT (org_id, webhook_id, event_id) DO NOTHING
        """,
        {"org_id": org_id, "due_at": due_at, "rows": orjson.dumps(deliveries).decode()},
    )


async def page(
    postgres: Postgres,
    org_id: UUID,
    webhook_id: UUID,
    status: DeliveryStatus | None,
    before: UUID | None,
    limit: int,
) -> list[Delivery]:
    """The newest first."""
    return await postgres.fetch_all(
        org_id,
        _DELIVERIES
        + """
        WHERE webhook_id = %(webhook_id)s
            AND (%(status)s::text IS NULL OR status = %(status)s)
            AND (%(before)s::uuid IS NULL OR id < %(before)s)
        ORDER BY id DESC
        LIMIT %(limit)s
        """,
        {"webhook_id": webhook_id, "status": status, "before": before, "limit": limit},
        row=class_row(Delivery),
    )


async def find(postgres: Postgres, org_id: UUID, webhook_id: UUID, delivery_id: UUID) -> Delivery | None:
    return await postgres.fetch_one(
        org_id,
        _DELIVERIES + "WHERE webhook_id = %s AND id = %s",
        (webhook_id, delivery_id),
        row=class_row(Delivery),
    )


async def attempts(
    postgres: Postgres, org_id: UUID, delivery_ids: Sequence[UUID]
) -> list[tuple[UUID, Attempt]]:
    """Of some deliveries, in their order."""
    rows = await postgres.fetch_all(
        org_id,
        """
        SELECT delivery_id, number, at, duration_ms, status, error
        FROM ibex.webhook_attempts
        WHERE delivery_id = ANY(%s)
        ORDER BY delivery_id, number
        """,
        (list(delivery_ids),),
        row=class_row(_Logged),
    )
    return [
        (row.delivery_id, Attempt(row.number, row.at, row.duration_ms, row.status, row.error)) for row in rows
    ]


async def begin_anew(connection: Connection, webhook_id: UUID, delivery_id: UUID, now: datetime) -> bool:
    """Make a delivery due now, with all attempts before it; False when one is under way or there is none."""
    cursor = await connection.execute(
        """
        UPDATE ibex.webhook_deliveries
        SET status = 'pending',
            due_at = %(now)s,
            claim = NULL,
            claimed_until = NULL,
            finished_at = NULL,
            attempts_before = attempts
        WHERE webhook_id = %(webhook_id)s
            AND id = %(id)s
            AND (claimed_until IS NULL OR claimed_until <= clock_timestamp())
        """,
        {"webhook_id": webhook_id, "id": delivery_id, "now": now},
    )
    return cursor.rowcount > 0


async def begin_failed_anew(connection: Connection, webhook_id: UUID, since: datetime, now: datetime) -> int:
    """As `begin_anew`, all that were given up and were begun since then; how many that are.

    One of which an attempt is under way is left out.
    """
    cursor = await connection.execute(
        """
        UPDATE ibex.webhook_deliveries
        SET status = 'pending',
            due_at = %(now)s,
            claim = NULL,
            claimed_until = NULL,
            finished_at = NULL,
            attempts_before = attempts
        WHERE webhook_id = %(webhook_id)s
            AND status = 'failed'
            AND created_at >= %(since)s
            AND (claimed_until IS NULL OR claimed_until <= clock_timestamp())
        """,
        {"webhook_id": webhook_id, "since": since, "now": now},
    )
    return cursor.rowcount


async def give_up(connection: Connection, webhook_id: UUID, now: datetime) -> None:
    """All that wait. One that is under way keeps its claim, for in case it is delivered yet."""
    await connection.execute(
        """
        UPDATE ibex.webhook_deliveries SET status = 'failed', due_at = NULL, finished_at = %s
        WHERE webhook_id = %s AND due_at IS NOT NULL
        """,
        (now, webhook_id),
    )


async def forget(postgres: Postgres, org_id: UUID, before: datetime, most: int) -> int:
    """Remove those that were over before then, the oldest first; how many."""
    return await postgres.execute(
        org_id,
        """
        DELETE FROM ibex.webhook_deliveries
        WHERE id IN (
            SELECT id FROM ibex.webhook_deliveries WHERE finished_at < %s ORDER BY finished_at LIMIT %s
        )
        """,
        (before, most),
    )


@dataclass(frozen=True, slots=True)
class _Logged:
    delivery_id: UUID
    number: int
    at: datetime
    duration_ms: float
    status: int | None
    error: str | None
