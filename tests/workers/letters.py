"""Jobs that were given up."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
from psycopg.rows import dict_row

from ibex.ids import uuid7
from ibex.storage import Postgres
from ibex.workers import GivenUp


def given_up(org_id: UUID, **fields: Any) -> GivenUp:
    """One of an organization; `fields` differ from the usual."""
    now = datetime.now(UTC)
    usual = GivenUp(
        org_id=org_id,
        name="test.done",
        job_id=f"test.done:{org_id}:{uuid7()}",
        payload=orjson.dumps({"org_id": org_id, "text": "canary"}),
        keys=("org_id", "text"),
        tries=4,
        error="RuntimeError",
        first_failed_at=now - timedelta(seconds=111),
        died_at=now,
    )
    return replace(usual, **fields)


async def letters(postgres: Postgres, org_id: UUID) -> list[dict[str, Any]]:
    """Every column of the dead letters of an organization."""
    return await postgres.fetch_all(org_id, "SELECT * FROM ibex.dead_letters ORDER BY id", row=dict_row)


async def events(postgres: Postgres, org_id: UUID) -> list[dict[str, Any]]:
    """What its outbox has."""
    return await postgres.fetch_all(org_id, "SELECT * FROM ibex.outbox ORDER BY id", row=dict_row)
