"""What is stored, once nothing is on its way any more."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, LiteralString
from urllib.request import Request, urlopen

import psycopg
from redis.exceptions import RedisError

from ibex.workers.queue import ON_DEMAND
from tests.faults.killing.installation import Installation
from tests.faults.killing.load import Told
from tests.faults.waiting import until
from tests.notifications.endpoint import Endpoint

# What a dead worker has taken is taken over after 15 seconds, a job of one that has died is done alone, a
# delivery is tried again after 5, and one that nobody can do is given up after 111, or later when its worker
# dies.
_PATIENCE = 180.0


@dataclass(frozen=True, slots=True)
class Stored:
    """By the ids of calls, how many rows each has.

    Parameters
    ----------
    counted: calls in the counters of the days.
    dead: names of jobs among the dead letters.
    outbox, undelivered: events, and deliveries, that have not gone out.
    waiting: traces and jobs that wait.
    """

    turns: Counter[str]
    traces: Counter[str]
    counted: int
    dead: Sequence[str]
    outbox: int
    undelivered: int
    waiting: int


async def settled(running: Installation, endpoint: Endpoint, told: Told) -> Stored:
    """Wait until nothing is on its way."""

    async def is_still() -> bool:
        try:
            found = await asyncio.to_thread(_read, running)
        except (psycopg.OperationalError, RedisError, OSError):
            return False
        return (found.waiting, found.outbox, found.undelivered) == (0, 0, 0)

    await until(is_still, seconds=_PATIENCE)
    return await asyncio.to_thread(_read, running)


def _read(running: Installation) -> Stored:
    with running.database() as connection:

        def one(query: LiteralString) -> int:
            row = connection.execute(query).fetchone()
            assert row is not None
            return int(str(row[0] or 0))

        turns = Counter(str(row[0]) for row in connection.execute("SELECT id FROM ibex.session_turns"))
        traces = Counter(str(row[0]) for row in connection.execute("SELECT id FROM ibex.traces"))
        dead = [str(row[0]) for row in connection.execute("SELECT name FROM ibex.dead_letters")]
        stored: dict[str, Any] = {
            "counted": one("SELECT sum(calls) FROM ibex.usage_days"),
            "outbox": one("SELECT count(*) FROM ibex.outbox"),
            "undelivered": one("SELECT count(*) FROM ibex.webhook_deliveries WHERE status <> 'delivered'"),
        }
    if running.clickhouse is not None:
        traces = _traces_of(running.clickhouse.url)
    client = running.redis()
    try:
        waiting = int(client.get("ibex:traces:waiting") or 0) + int(client.zcard(ON_DEMAND))  # type: ignore[arg-type]
    finally:
        client.close()
    return Stored(turns=turns, traces=traces, dead=dead, waiting=waiting, **stored)


def _traces_of(url: str) -> Counter[str]:
    query = Request(f"{url}/?database=ibex", data=b"SELECT id FROM traces FINAL FORMAT TabSeparated")
    with urlopen(query, timeout=10) as answer:
        return Counter(answer.read().decode().split())
