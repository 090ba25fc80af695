"""The SQL of fingerprints."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
import psycopg
from psycopg.rows import class_row

from ibex.drift.fingerprint import Fingerprint
from ibex.ids import uuid7
from ibex.storage import Postgres

_FINGERPRINTS = """
    SELECT id, agent_id, directive_number, call, calls, at, data FROM ibex.drift_fingerprints
"""
# Of an agent with a million calls a day there are a hundred thousand a day: in steps that lock little.
_MOST_AT_ONCE = 10_000


@dataclass(frozen=True, slots=True)
class StoredFingerprint:
    """A fingerprint; `call` is the number of its last call, and `at` when that was."""

    id: UUID
    agent_id: UUID
    directive_number: int
    call: int
    calls: int
    at: datetime
    data: dict[str, Any]


async def insert(
    connection: psycopg.AsyncConnection[Any],
    org_id: UUID,
    agent_id: UUID,
    directive_number: int,
    fingerprints: Sequence[tuple[int, float, Fingerprint]],
) -> None:
    """Each with the number of its last call, and when that was in seconds since the epoch."""
    # Those of one millisecond have no order of their own.
    ids = sorted(uuid7() for _ in fingerprints)
    rows = [
        {
            "id": fingerprint_id,
            "call": call,
            "calls": each.calls,
            "at": datetime.fromtimestamp(at, UTC),
            "data": {key: value for key, value in asdict(each).items() if key != "calls"},
        }
        for fingerprint_id, (call, at, each) in zip(ids, fingerprints, strict=True)
    ]
    await connection.execute(
        """
        INSERT INTO ibex.drift_fingerprints (org_id, id, agent_id, directive_number, call, calls, at, data)
        SELECT %s, id, %s, %s, call, calls, at, data
        FROM jsonb_to_recordset(%s::jsonb) AS n (
            id uuid, call bigint, calls integer, at timestamptz, data jsonb
        )
        """,
        (org_id, agent_id, directive_number, orjson.dumps(rows).decode()),
    )


async def page(
    postgres: Postgres,
    org_id: UUID,
    agent_id: UUID,
    directive_number: int | None,
    after: UUID | None,
    limit: int,
) -> list[StoredFingerprint]:
    """In the order of their calls."""
    return await postgres.fetch_all(
        org_id,
        _FINGERPRINTS
        + """
        WHERE agent_id = %s AND (%s::integer IS NULL OR directive_number = %s)
            AND (%s::uuid IS NULL OR id > %s)
        ORDER BY id LIMIT %s
        """,
        (agent_id, directive_number, directive_number, after, after, limit),
        row=class_row(StoredFingerprint),
    )


async def latest(postgres: Postgres, org_id: UUID, agent_id: UUID) -> list[StoredFingerprint]:
    """The newest of each directive of an agent."""
    return await postgres.fetch_all(
        org_id,
        """
        SELECT f.* FROM ibex.drift_detectors AS d
        CROSS JOIN LATERAL (
            SELECT id, agent_id, directive_number, call, calls, at, data FROM ibex.drift_fingerprints
            WHERE agent_id = d.agent_id AND directive_number = d.directive_number
            ORDER BY call DESC LIMIT 1
        ) AS f
        WHERE d.agent_id = %s
        ORDER BY f.directive_number
        """,
        (agent_id,),
        row=class_row(StoredFingerprint),
    )


async def forget(postgres: Postgres, org_id: UUID, older_than: timedelta) -> int:
    """Remove some of the fingerprints of an organization that are older; how many."""
    return await postgres.execute(
        org_id,
        """
        DELETE FROM ibex.drift_fingerprints
        WHERE id IN (
            SELECT id FROM ibex.drift_fingerprints WHERE at < now() - %s LIMIT %s
        )
        """,
        (older_than, _MOST_AT_ONCE),
    )
