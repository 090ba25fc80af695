"""The SQL of doing deliveries: who has something to do, who does what, and how it went."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from psycopg.rows import class_row, scalar_row, tuple_row

from ibex.notifications.webhook import Attempt
from ibex.storage import Connection, Postgres


@dataclass(frozen=True, slots=True)
class Claim:
    """A delivery that this process alone attempts.

    Parameters
    ----------
    number: of the attempt; `tries` counts from where the delivery was begun.
    """

    claim: UUID
    delivery_id: UUID
    webhook_id: UUID
    url: str = field(repr=False)
    event_id: UUID
    type: str
    at: datetime
    data: Mapping[str, Any] = field(repr=False)
    number: int
    tries: int


async def next_organization(postgres: Postgres, after: UUID | None, now: datetime) -> UUID | None:
    """The next organization, by its id, that has events to pass on or deliveries that are due."""
    row = await postgres.fetch_one(
        None, "SELECT ibex.next_organization_to_notify(%s, %s)", (after, now), row=tuple_row
    )
    return row[0] if row else None


async def try_to_relay_alone(connection: Connection, org_id: UUID) -> bool:
    """Whether nobody else passes on this organization's events, up to the end of the transaction."""
    async with connection.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(
            "SELECT pg_try_advisory_xact_lock(hashtextextended(%s, %s))", (str(org_id), 0x1BE0_0010)
        )
        return bool(await cursor.fetchone())


async def take(
    connection: Connection, claim: UUID, now: datetime, lease: timedelta, most: int, most_of_webhook: int
) -> list[Claim]:
    """Claim deliveries that are due, and that nobody else has claimed.

    Parameters
    ----------
    lease: how long a claim lasts, by the clock of the database: those of two processes may differ.
    most_of_webhook: that are under way at a time, in all processes; of one that fails it is one.
    """
    async with connection.cursor(row_factory=scalar_row) as cursor:
        # Locked first, so that the statement below sees what whoever had the lock before has claimed.
        await cursor.execute(
            """
            SELECT webhook.id FROM ibex.webhooks AS webhook
            WHERE webhook.status = 'enabled'
                AND EXISTS (
                    SELECT FROM ibex.webhook_deliveries AS delivery
                    WHERE delivery.webhook_id = webhook.id
                        AND delivery.due_at <= %s
                        AND (delivery.claimed_until IS NULL OR delivery.claimed_until <= clock_timestamp())
                )
            FOR NO KEY UPDATE SKIP LOCKED
            """,
            (now,),
        )
        webhooks = await cursor.fetchall()
    if not webhooks:
        return []
    async with connection.cursor(row_factory=class_row(Claim)) as claims:
        await claims.execute(
            """
            WITH room AS (
                SELECT webhook.id,
                    CASE WHEN webhook.failed_in_a_row > 0 THEN 1 ELSE %(most_of_webhook)s END - (
                        SELECT count(*) FROM ibex.webhook_deliveries AS busy
                        WHERE busy.webhook_id = webhook.id
                            AND busy.claimed_until > clock_timestamp()
                    ) AS places
                FROM ibex.webhooks AS webhook
                WHERE webhook.id = ANY(%(webhooks)s)
            ),
            due AS (
                SELECT oldest.id FROM room
                CROSS JOIN LATERAL (
                    SELECT delivery.id, delivery.due_at FROM ibex.webhook_deliveries AS delivery
                    WHERE delivery.webhook_id = room.id
                        AND delivery.due_at <= %(now)s
                        AND (delivery.claimed_until IS NULL OR delivery.claimed_until <= clock_timestamp())
                    ORDER BY delivery.due_at, delivery.id
                    LIMIT greatest(room.places, 0)
                ) AS oldest
                ORDER BY oldest.due_at
                LIMIT %(most)s
            )
            UPDATE ibex.webhook_deliveries AS delivery
            SET claim = %(claim)s,
                claimed_until = clock_timestamp() + %(lease)s,
                attempts = attempts + 1
            FROM due, ibex.webhooks AS webhook
            WHERE delivery.id = due.id AND webhook.id = delivery.webhook_id
            RETURNING delivery.claim, delivery.id AS delivery_id, delivery.webhook_id, webhook.url,
                delivery.event_id, delivery.type, delivery.at, delivery.data, delivery.attempts AS number,
                delivery.attempts - delivery.attempts_before AS tries
            """,
            {
                "webhooks": webhooks,
                "claim": claim,
                "now": now,
                "lease": lease,
                "most": most,
                "most_of_webhook": most_of_webhook,
            },
        )
        return await claims.fetchall()


async def log(connection: Connection, org_id: UUID, delivery_id: UUID, attempt: Attempt) -> None:
    await connection.execute(
        """
        INSERT INTO ibex.webhook_attempts (org_id, delivery_id, number, at, duration_ms, status, error)
        VALUES (%s, %s, %s, %s, %s, %s, %s)
        """,
        (
            org_id,
            delivery_id,
            attempt.number,
            attempt.at,
            attempt.duration_ms,
            attempt.status,
            attempt.error,
        ),
    )


async def settle(
    connection: Connection, claim: Claim, status: str, due_at: datetime | None, now: datetime
) -> bool:
    """Give a claim back; False when it has ended and somebody else has taken it, or the delivery is gone.

    A delivery that was given up meanwhile stays so, unless it was delivered after all.
    """
    cursor = await connection.execute(
        """
        UPDATE ibex.webhook_deliveries
        SET status = CASE WHEN due_at IS NULL AND %(status)s = 'pending' THEN status ELSE %(status)s END,
            due_at = CASE WHEN due_at IS NULL THEN NULL ELSE %(due_at)s::timestamptz END,
            finished_at = CASE WHEN %(status)s = 'pending' THEN finished_at ELSE %(now)s::timestamptz END,
            claim = NULL,
            claimed_until = NULL
        WHERE id = %(id)s AND claim = %(claim)s
        """,
        {"id": claim.delivery_id, "claim": claim.claim, "status": status, "due_at": due_at, "now": now},
    )
    return cursor.rowcount > 0
