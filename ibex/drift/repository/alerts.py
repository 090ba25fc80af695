"""The SQL of alerts."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, LiteralString
from uuid import UUID

import orjson
import psycopg
from psycopg.rows import class_row

from ibex.drift.alert import Alert, AlertStatus
from ibex.drift.comparison import Moved, Severity
from ibex.drift.sightings import Cause
from ibex.ids import uuid7
from ibex.storage import Postgres

Connection = psycopg.AsyncConnection[Any]

_ALERTS: LiteralString = """
    SELECT id, agent_id, directive_number, baseline_id, severity, features, causes, first_seen_at, first_call,
        found_call, suspended_agent, status, created_at, acknowledged_by, acknowledged_at, closed_by,
        closed_at
    FROM ibex.drift_alerts
"""


async def insert(
    connection: Connection,
    org_id: UUID,
    agent_id: UUID,
    directive_number: int,
    baseline_id: UUID,
    severity: Severity,
    features: Sequence[Moved],
    causes: Sequence[Cause],
    first_seen: float,
    first_call: int,
    found_call: int,
    *,
    suspends: bool,
) -> Alert:
    """`first_seen` in seconds since the epoch."""
    async with connection.cursor(row_factory=class_row(Alert)) as cursor:
        await cursor.execute(
            """
            INSERT INTO ibex.drift_alerts (
                org_id, id, agent_id, directive_number, baseline_id, severity, features, causes,
                first_seen_at, first_call, found_call, suspended_agent
            )
            VALUES (%s, %s, %s, %s, %s, %s, %s::jsonb, %s::jsonb, %s, %s, %s, %s)
            RETURNING id, agent_id, directive_number, baseline_id, severity, features, causes, first_seen_at,
                first_call, found_call, suspended_agent, status, created_at, acknowledged_by, acknowledged_at,
                closed_by, closed_at
            """,
            (
                org_id,
                uuid7(),
                agent_id,
                directive_number,
                baseline_id,
                severity,
                orjson.dumps([asdict(each) for each in features]).decode(),
                orjson.dumps(
                    [{**asdict(each), "at": datetime.fromtimestamp(each.at, UTC)} for each in causes]
                ).decode(),
                datetime.fromtimestamp(first_seen, UTC),
                first_call,
                found_call,
                suspends,
            ),
        )
        rows = await cursor.fetchall()
    return rows[0]


async def worsen(
    connection: Connection,
    alert_id: UUID,
    severity: Severity,
    features: Sequence[dict[str, Any]],
    *,
    suspends: bool,
) -> None:
    """More has moved, or further."""
    await connection.execute(
        """
        UPDATE ibex.drift_alerts
        SET severity = %s, features = %s::jsonb, suspended_agent = suspended_agent OR %s
        WHERE id = %s
        """,
        (severity, orjson.dumps(list(features)).decode(), suspends, alert_id),
    )


async def unsettled(connection: Connection, agent_id: UUID, directive_number: int) -> Alert | None:
    """The alert that somebody still has to settle."""
    return await _one(
        connection,
        "agent_id = %s AND directive_number = %s AND closed_at IS NULL",
        (agent_id, directive_number),
    )


async def lock(connection: Connection, alert_id: UUID) -> Alert | None:
    return await _one(connection, "id = %s FOR UPDATE", (alert_id,))


async def find(postgres: Postgres, org_id: UUID, alert_id: UUID) -> Alert | None:
    return await postgres.fetch_one(
        org_id,
        _ALERTS + "WHERE id = %s",
        (alert_id,),
        row=class_row(Alert),
    )


async def page(
    postgres: Postgres,
    org_id: UUID,
    agent_id: UUID | None,
    status: AlertStatus | None,
    severity: Severity | None,
    after: UUID | None,
    limit: int,
) -> list[Alert]:
    """In the order of their creation."""
    return await postgres.fetch_all(
        org_id,
        _ALERTS
        + """
        WHERE (%s::uuid IS NULL OR agent_id = %s)
            AND (%s::text IS NULL OR status = %s)
            AND (%s::text IS NULL OR severity = %s)
            AND (%s::uuid IS NULL OR id > %s)
        ORDER BY id LIMIT %s
        """,
        (agent_id, agent_id, status, status, severity, severity, after, after, limit),
        row=class_row(Alert),
    )


async def acknowledge(connection: Connection, alert_id: UUID, by: str) -> None:
    await connection.execute(
        """
        UPDATE ibex.drift_alerts
        SET status = 'acknowledged', acknowledged_by = %s, acknowledged_at = now()
        WHERE id = %s
        """,
        (by, alert_id),
    )


async def close(connection: Connection, alert_id: UUID, status: AlertStatus, by: str) -> None:
    await connection.execute(
        "UPDATE ibex.drift_alerts SET status = %s, closed_by = %s, closed_at = now() WHERE id = %s",
        (status, by, alert_id),
    )


async def _one(connection: Connection, condition: LiteralString, parameters: Sequence[Any]) -> Alert | None:
    async with connection.cursor(row_factory=class_row(Alert)) as cursor:
        await cursor.execute(_ALERTS + "WHERE " + condition, parameters)
        return await cursor.fetchone()
