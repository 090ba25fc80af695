"""Calls through a service while something is wrong."""

from typing import Any, LiteralString

import httpx2
import psycopg
from psycopg.rows import scalar_row

from ibex.auth.changes.log import CHANNEL
from tests.faults.waiting import until
from tests.fixtures import Database
from tests.operator import Operator
from tests.service import Service

CHAT: dict[str, Any] = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hello"}]}


async def chat(service: Service, token: str | None = None, **headers: str) -> httpx2.Response:
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    async with service.http() as client:
        return await client.post("/v1/chat/completions", json=CHAT, headers=headers)


def code_of(answer: httpx2.Response) -> str:
    return str(answer.json()["error"]["code"])


async def ready(service: Service) -> tuple[int, dict[str, Any]]:
    async with service.http() as client:
        answer = await client.get("/ready")
    return answer.status_code, answer.json()["dependencies"]


async def known(service: Service, operator: Operator) -> None:
    """Wait until the service has its own token in its cache, and keeps it: it hears of changes by then."""

    async def hears() -> bool:
        subscribers: Any = await operator.redis.pubsub_numsub(CHANNEL)
        return bool(subscribers[0][1])

    async def has_read_on() -> bool:
        return await _any(
            operator,
            "SELECT 1 FROM pg_stat_activity WHERE state = 'idle' AND query_start > %s"
            " AND query LIKE 'SELECT * FROM ibex.changes_after%%'",
            (subscribed_at,),
        )

    await until(hears)
    # A subscription is trusted once the log has been read after it.
    subscribed_at = await operator.postgres.fetch_one(None, "SELECT clock_timestamp()", row=scalar_row)
    await until(has_read_on)
    await until(lambda: is_admitted(service, service.token))
    assert await is_admitted(service, service.token)


async def _any(operator: Operator, query: LiteralString, parameters: tuple[object, ...]) -> bool:
    return bool(await operator.postgres.fetch_all(None, query, parameters, row=scalar_row))


async def is_admitted(service: Service, token: str) -> bool:
    return (await chat(service, token)).status_code == 200


def connecting(database: Database) -> int:
    """How many connections have not said yet who they are."""
    with psycopg.connect(database.superuser_dsn) as connection:
        row = connection.execute("SELECT count(*) FROM pg_stat_activity WHERE state = 'starting'").fetchone()
    assert row is not None
    return int(row[0])


def stored_turns(database: Database, session_id: str) -> list[str]:
    """The ids of a session's turns as they are in the database; the session itself counts as many."""
    with psycopg.connect(database.superuser_dsn) as connection:
        rows = connection.execute(
            "SELECT t.id::text, s.turns FROM ibex.session_turns AS t JOIN ibex.sessions AS s "
            "ON (s.org_id, s.agent_id, s.id) = (t.org_id, t.agent_id, t.session_id) "
            "WHERE s.id = %s ORDER BY t.id",
            (session_id,),
        ).fetchall()
    assert {turns for _, turns in rows} <= {len(rows)}
    return [row[0] for row in rows]


async def all_stored_once(database: Database, session_id: str, request_ids: list[str]) -> None:
    await until(lambda: len(stored_turns(database, session_id)) >= len(request_ids), seconds=20)
    assert stored_turns(database, session_id) == sorted(request_ids)
