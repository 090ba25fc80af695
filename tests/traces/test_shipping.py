"""Traces go from the stream to Postgres: each of them once, whatever happens to who takes them there."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import psycopg
import pytest
import pytest_asyncio
from psycopg.rows import tuple_row
from redis.asyncio import Redis

from ibex.ids import uuid7
from ibex.storage import connect_single
from ibex.traces import Trace, TraceStream
from ibex.traces.packing import pack
from ibex.traces.stream import StreamFullError
from tests.faults.waiting import until
from tests.fixtures import Database
from tests.operator import Operator
from tests.service import shipping
from tests.traces.calls import trace

_STREAM, _REFUSED = "ibex:traces", "ibex:traces:refused"


@dataclass(frozen=True, slots=True)
class Harbour:
    """A stream, and the database that traces go to."""

    database: Database
    operator: Operator
    redis: Redis
    stream: TraceStream
    org_id: UUID
    agent_id: UUID

    def trace(self, **fields: Any) -> Trace:
        return trace(self.org_id, fields.pop("agent_id", self.agent_id), **fields)

    async def put(self, *traces: Trace) -> None:
        await self.stream.add(pack(traces), len(traces))

    async def rows(self, query: Any, org_id: UUID | None = None) -> list[tuple[Any, ...]]:
        return await self.operator.postgres.fetch_all(org_id or self.org_id, query, row=tuple_row)

    async def turns(self) -> list[UUID]:
        return [row[0] for row in await self.rows("SELECT id FROM ibex.session_turns ORDER BY id")]

    async def until_empty(self) -> None:
        async def is_empty() -> bool:
            return not await self.redis.xlen(_STREAM)

        await until(is_empty)
        assert (await self.stream.backlog()).traces == 0


def ids(*traces: Trace) -> list[UUID]:
    """In the order of a database."""
    return sorted(each.id for each in traces)


@pytest_asyncio.fixture
async def harbour(database: Database, operator: Operator) -> AsyncIterator[Harbour]:
    redis = connect_single(database.redis_url, timeout=5.0)
    org_id = await operator.organization()
    agent = await operator.agent(org_id, "helper")
    yield Harbour(database, operator, redis, TraceStream(redis, longest=100), org_id, agent.id)
    await redis.aclose()


async def test_a_trace_is_a_turn_of_its_session_and_counts_for_its_day(harbour: Harbour) -> None:
    first = harbour.trace()
    later = harbour.trace(
        at=datetime(2026, 2, 1, tzinfo=UTC), user_id=None, outcome="broken", cost_nano_usd=None
    )
    alone = harbour.trace(session_id=None, model="embedder", output_tokens=None, input_tokens=None)
    async with shipping(harbour.database.service_dsn, harbour.database.redis_url):
        await harbour.put(first, later)
        await harbour.put(alone)
        await harbour.until_empty()
    assert await harbour.turns() == ids(first, later, alone)
    sessions = await harbour.rows("SELECT id, user_id, turns, started_at, last_turn_at FROM ibex.sessions")
    assert sessions == [("session", "user", 2, first.at, later.at)]
    used = await harbour.rows(
        "SELECT day::text, model, calls, errors, input_tokens, cached_tokens, output_tokens, cost_nano_usd "
        "FROM ibex.usage_days ORDER BY day, model"
    )
    assert used == [
        ("2026-01-31", "embedder", 1, 0, 0, 5, 0, 7_000),
        ("2026-01-31", "large", 1, 0, 40, 5, 6, 7_000),
        ("2026-02-01", "large", 1, 1, 40, 5, 6, 0),
    ]
    kept = await harbour.rows("SELECT id FROM ibex.traces ORDER BY id")
    assert [row[0] for row in kept] == ids(first, later, alone)


async def test_what_is_told_twice_counts_once(harbour: Harbour) -> None:
    """Within an entry, in two entries, and after it was stored."""
    told = [harbour.trace() for _ in range(3)]
    async with shipping(harbour.database.service_dsn, harbour.database.redis_url):
        await harbour.put(*told, told[0])
        await harbour.put(*told)
        await harbour.until_empty()
        await harbour.put(*told)
        await harbour.until_empty()
    assert await harbour.turns() == ids(*told)
    assert await harbour.rows("SELECT turns FROM ibex.sessions") == [(3,)]
    assert await harbour.rows("SELECT calls, input_tokens FROM ibex.usage_days") == [(3, 120)]
    assert await harbour.rows("SELECT count(*) FROM ibex.traces") == [(3,)]


async def test_what_a_dead_one_has_taken_another_takes_over(harbour: Harbour) -> None:
    told = harbour.trace()
    await harbour.put(told)
    await harbour.stream.read("dead", most=1, within=0)
    assert len(await harbour.stream.read("dead", most=1, within=0)) == 1
    async with shipping(harbour.database.service_dsn, harbour.database.redis_url, take_over=0.05):
        await harbour.until_empty()
    assert await harbour.turns() == [told.id]


async def test_many_may_ship_at_once_and_none_waits_for_ever(harbour: Harbour) -> None:
    told = [harbour.trace(session_id=f"session-{number % 7}") for number in range(120)]
    for at in range(0, 120, 5):
        # Each is told twice, in another order.
        await TraceStream(harbour.redis, longest=1_000).add(pack(told[at : at + 5]), 5)
        await TraceStream(harbour.redis, longest=1_000).add(pack(told[at : at + 5][::-1]), 5)
    where = harbour.database.service_dsn, harbour.database.redis_url
    async with shipping(*where), shipping(*where), shipping(*where):
        await harbour.until_empty()
    assert await harbour.turns() == ids(*told)
    assert await harbour.rows("SELECT sum(turns) FROM ibex.sessions") == [(120,)]
    assert await harbour.rows("SELECT sum(calls) FROM ibex.usage_days") == [(120,)]


async def test_what_can_never_be_stored_holds_nobody_up(
    harbour: Harbour, caplog: pytest.LogCaptureFixture
) -> None:
    """An entry that is none, a trace that the database refuses, and an agent that is gone."""
    good = [harbour.trace() for _ in range(4)]
    bad = harbour.trace(usage_source="canary-of-a-user")
    stranger = harbour.trace(agent_id=uuid7())
    of_nobody = replace(harbour.trace(), org_id=uuid7())
    refused: list[int] = []
    await harbour.redis.xadd(_STREAM, {"traces": b"canary-of-a-user", "count": b"3"})
    await harbour.redis.xadd(_STREAM, {"else": b"x", "count": b"-"})
    await harbour.put(good[0], good[1], bad, good[2], stranger, of_nobody, good[3])
    where = harbour.database.service_dsn, harbour.database.redis_url
    async with shipping(*where, refused=refused.append):
        await harbour.until_empty()
    assert await harbour.turns() == ids(*good)
    assert sum(refused) == 6
    # Of what is gone nothing is kept; the rest somebody may look at.
    assert await harbour.redis.xlen(_REFUSED) == 3
    assert await harbour.redis.ttl(_REFUSED) > 0
    assert "set aside" in caplog.text
    assert "canary-of-a-user" not in caplog.text


async def test_what_is_refused_is_set_aside_once_however_often_the_rest_is_tried(harbour: Harbour) -> None:
    failures = iter([True, True, False])

    class Observer:
        async def observe(
            self, connection: psycopg.AsyncConnection[Any], org_id: UUID, traces: Sequence[Trace]
        ) -> None:
            if next(failures):
                raise psycopg.OperationalError

    refused: list[int] = []
    told = harbour.trace()
    await harbour.redis.xadd(_STREAM, {"traces": b"no batch", "count": b"3"})
    await harbour.put(told)
    where = harbour.database.service_dsn, harbour.database.redis_url
    async with shipping(*where, observers=[Observer()], refused=refused.append):
        await harbour.until_empty()
    assert await harbour.turns() == [told.id]
    assert refused == [3]
    assert await harbour.redis.xlen(_REFUSED) == 1


async def test_a_stream_has_an_end(harbour: Harbour) -> None:
    stream = TraceStream(harbour.redis, longest=3)
    told = [harbour.trace() for _ in range(5)]
    for one in told[:3]:
        await stream.add(pack([one]), 1)
    with pytest.raises(StreamFullError):
        await stream.add(pack(told[3:]), 2)
    backlog = await stream.backlog()
    assert backlog.traces == 3
    assert 0 <= backlog.age < 60
    async with shipping(harbour.database.service_dsn, harbour.database.redis_url):
        await harbour.until_empty()
    await stream.add(pack(told[3:]), 2)


async def test_an_observer_sees_each_trace_once_and_with_it_nothing_is_lost(harbour: Harbour) -> None:
    """It fails at first, and nothing is stored; then it is told again."""
    seen: list[UUID] = []
    failures = iter([True, False, False])

    class Observer:
        async def observe(
            self, connection: psycopg.AsyncConnection[Any], org_id: UUID, traces: Sequence[Trace]
        ) -> None:
            if next(failures):
                raise psycopg.OperationalError
            seen.extend(each.id for each in traces)

    told = [harbour.trace() for _ in range(2)]
    where = harbour.database.service_dsn, harbour.database.redis_url
    async with shipping(*where, observers=[Observer()]):
        await harbour.put(told[0])
        await harbour.put(told[0])
        await harbour.until_empty()
        await harbour.put(*told)
        await harbour.until_empty()
    assert seen == [each.id for each in told]
    assert await harbour.turns() == sorted(seen)


async def test_what_is_there_at_a_stop_is_stored(harbour: Harbour) -> None:
    told = [harbour.trace() for _ in range(30)]
    async with shipping(harbour.database.service_dsn, harbour.database.redis_url):
        for one in told:
            await harbour.put(one)
    assert await harbour.turns() == ids(*told)
