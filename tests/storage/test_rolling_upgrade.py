"""While replicas are upgraded one by one, the older ones meet the newer schema."""

from dataclasses import asdict, fields
from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg.rows import scalar_row

from ibex.ids import uuid7
from ibex.proxy.repository import insert_turns
from ibex.proxy.turns import Turn
from tests.fixtures import Database
from tests.operator import Operator


async def test_turns_are_stored_although_a_newer_replica_has_added_a_column(
    database: Database, operator: Operator
) -> None:
    org_id = await operator.organization()
    agent = await operator.agent(org_id, "helper")
    with psycopg.connect(database.superuser_dsn) as connection:
        connection.execute("ALTER TABLE ibex.session_turns ADD COLUMN region text NOT NULL DEFAULT 'here'")
    turn = _turn(org_id=org_id, agent_id=agent.id)
    await insert_turns(operator.postgres, org_id, [turn])
    assert await operator.postgres.fetch_all(
        org_id, "SELECT region FROM ibex.session_turns", row=scalar_row
    ) == ["here"]


async def test_every_field_of_a_turn_has_its_column(database: Database, operator: Operator) -> None:
    org_id = await operator.organization()
    agent = await operator.agent(org_id, "helper")
    turn = _turn(org_id=org_id, agent_id=agent.id)
    await insert_turns(operator.postgres, org_id, [turn])
    async with operator.postgres.transaction(org_id) as connection:
        cursor = await connection.execute("SELECT * FROM ibex.session_turns")
        row = await cursor.fetchone()
        assert row is not None
        assert cursor.description is not None
        stored = dict(zip((column.name for column in cursor.description), row, strict=True))
    hashes = {name: "\\x" + stored[name].hex() for name in ("request_sha256", "response_sha256")}
    assert {**stored, **hashes} == asdict(turn)
    assert len(fields(Turn)) == len(stored)


def _turn(**values: Any) -> Turn:
    return Turn(
        id=uuid7(),
        session_id="session",
        token_id=uuid7(),
        user_id="user",
        at=datetime(2025, 1, 1, tzinfo=UTC),
        operation="chat",
        provider="openai",
        model="large",
        model_served="large-1",
        streamed=True,
        status=200,
        outcome="ok",
        error_code="NONE",
        finish_reason="stop",
        attempts=1,
        request_bytes=2,
        request_sha256="\\x01",
        response_bytes=3,
        response_sha256="\\x02",
        input_tokens=4,
        cached_tokens=5,
        output_tokens=6,
        usage_source="provider",
        overhead_ms=7.0,
        first_byte_ms=8.0,
        latency_ms=9.0,
        **values,
    )
