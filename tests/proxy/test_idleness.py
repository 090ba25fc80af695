"""Sessions end by themselves."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from psycopg.rows import tuple_row

from ibex.proxy import end_idle_sessions
from tests.operator import Operator


async def _session(operator: Operator, org_id: UUID, session_id: str, last_turn: datetime) -> None:
    agent = await operator.agent(org_id, "helper")
    async with operator.postgres.transaction(org_id) as connection:
        await connection.execute(
            """
            INSERT INTO ibex.sessions (org_id, agent_id, id, started_at, last_turn_at)
            VALUES (%s, %s, %s, %s, %s)
            """,
            (org_id, agent.id, session_id, last_turn, last_turn),
        )


async def _states(operator: Operator, org_id: UUID) -> dict[str, str]:
    return dict(
        await operator.postgres.fetch_all(org_id, "SELECT id, status FROM ibex.sessions", row=tuple_row)
    )


async def test_idle_sessions_of_every_organization_end(operator: Operator) -> None:
    now = datetime.now(UTC)
    first, second = await operator.organization("first"), await operator.organization("second")
    await _session(operator, first, "fresh", now)
    await _session(operator, first, "stale", now - timedelta(hours=2))
    await _session(operator, second, "stale", now - timedelta(hours=2))

    await end_idle_sessions(operator.postgres, timedelta(hours=1))

    assert await _states(operator, first) == {"fresh": "active", "stale": "ended"}
    assert await _states(operator, second) == {"stale": "ended"}
