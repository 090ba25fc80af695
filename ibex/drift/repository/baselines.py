"""The SQL of baselines."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson
import psycopg
from psycopg.rows import class_row

from ibex.drift.baseline import Baseline
from ibex.drift.observation import Observation
from ibex.drift.records import StoredBaseline
from ibex.ids import uuid7
from ibex.storage import Postgres

Connection = psycopg.AsyncConnection[Any]

_BASELINES = """
    SELECT id, agent_id, directive_number, calls, first_at, last_at, created_by, created_at, data
    FROM ibex.drift_baselines
"""


async def insert(
    connection: Connection,
    org_id: UUID,
    agent_id: UUID,
    directive_number: int,
    observations: list[Observation],
    created_by: str,
) -> StoredBaseline:
    """The baseline that some calls make."""
    async with connection.cursor(row_factory=class_row(StoredBaseline)) as cursor:
        await cursor.execute(
            """
            INSERT INTO ibex.drift_baselines (
                org_id, id, agent_id, directive_number, calls, first_at, last_at, created_by, data
            )
            VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s::jsonb)
            RETURNING id, agent_id, directive_number, calls, first_at, last_at, created_by, created_at, data
            """,
            (
                org_id,
                uuid7(),
                agent_id,
                directive_number,
                len(observations),
                datetime.fromtimestamp(min(each.at for each in observations), UTC),
                datetime.fromtimestamp(max(each.at for each in observations), UTC),
                created_by,
                orjson.dumps(asdict(Baseline.of(observations))).decode(),
            ),
        )
        rows = await cursor.fetchall()
    return rows[0]


async def get(connection: Connection, baseline_id: UUID) -> StoredBaseline | None:
    async with connection.cursor(row_factory=class_row(StoredBaseline)) as cursor:
        await cursor.execute(_BASELINES + "WHERE id = %s", (baseline_id,))
        return await cursor.fetchone()


async def find(postgres: Postgres, org_id: UUID, baseline_id: UUID) -> StoredBaseline | None:
    return await postgres.fetch_one(
        org_id, _BASELINES + "WHERE id = %s", (baseline_id,), row=class_row(StoredBaseline)
    )


async def page(
    postgres: Postgres, org_id: UUID, agent_id: UUID | None, after: UUID | None, limit: int
) -> list[StoredBaseline]:
    """In the order of their creation."""
    return await postgres.fetch_all(
        org_id,
        _BASELINES
        + """
        WHERE (%s::uuid IS NULL OR agent_id = %s) AND (%s::uuid IS NULL OR id > %s)
        ORDER BY id LIMIT %s
        """,
        (agent_id, agent_id, after, after, limit),
        row=class_row(StoredBaseline),
    )
