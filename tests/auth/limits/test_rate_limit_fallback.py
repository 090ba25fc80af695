"""While Redis is away: limits are counted here, conservatively, and handed back."""

import asyncio

import pytest

from ibex.auth import AuditEvent, AuditTrail
from ibex.auth.limits import local
from ibex.auth.limits.demand import Demand
from ibex.ids import uuid7
from ibex.storage import Redis, connect
from tests.auth.limits.limiting import admitted, limiting, limits
from tests.faults.line import Line
from tests.faults.waiting import until
from tests.fixtures import Database
from tests.operator import Operator

# What the service allows a check by default (seconds), with room for a busy machine.
DEADLINE = 0.25
TOO_SLOW = 0.15  # each way


async def test_an_outage_is_judged_here_with_a_share_of_the_limit(
    distant_redis: Redis, line: Line, database: Database
) -> None:
    org_id, under = uuid7(), limits(1_000, 1_000, 30)
    neighbour = connect(database.redis_url, timeout=2.0)
    async with limiting(distant_redis, "one") as one, limiting(neighbour, "two"):
        await until(lambda: one.limiter._processes == 2)
        await line.cut()
        verdicts = await one.ask(org_id, under, 64)
        assert all(verdict.is_local for verdict in verdicts)
        assert admitted(verdicts) == 15
        assert one.limiter.is_local
        await line.restore()
    await neighbour.aclose()


async def test_a_redis_that_was_never_seen_does_not_give_each_process_the_whole_limit(
    distant_redis: Redis, line: Line
) -> None:
    await line.cut()
    async with limiting(distant_redis, processes_at_start=4) as one:
        verdicts = await one.ask(uuid7(), limits(1_000, 1_000, 40), 64)
        assert admitted(verdicts) == 10
        await line.restore()


async def test_the_share_does_not_grow_while_the_others_are_still_starting(
    distant_redis: Redis, line: Line
) -> None:
    org_id, under = uuid7(), limits(1_000, 1_000, 40)
    async with limiting(distant_redis, processes_at_start=4) as one:
        await until(lambda: one.is_prepared)
        await line.cut()
        assert admitted(await one.ask(org_id, under, 64)) == 10
        await line.restore()


async def test_each_organization_is_told_of_once_per_outage(distant_redis: Redis, line: Line) -> None:
    acme, globex, under = uuid7(), uuid7(), limits(100, 100, 100)
    async with limiting(distant_redis) as one:
        await one.check(acme, under)
        assert one.told == []
        await line.cut()
        for _ in range(3):
            await one.check(acme, under)
            await one.check(globex, under)
        assert one.told == [acme, globex]
        await line.restore()
        assert one.restored == []
        await until(lambda: not one.limiter.is_local)
        assert sorted(one.restored) == sorted([acme, globex])
        assert not (await one.check(acme, under)).is_local
        await line.cut()
        await one.check(acme, under)
        assert one.told == [acme, globex, acme]
        await line.restore()


async def test_one_late_answer_is_no_outage(distant_redis: Redis, line: Line) -> None:
    org_id, under = uuid7(), limits(100, 100, 100)
    async with limiting(distant_redis, within=DEADLINE, is_present=False) as one:
        await one.check(org_id, under)
        line.delay = TOO_SLOW
        assert (await one.check(org_id, under)).is_local
        line.delay = 0.0
        assert not (await one.check(org_id, under)).is_local
        assert not one.limiter.is_local
        assert one.told == []
        await line.cut()
        await one.check(org_id, under)
        assert one.told == [org_id]
        await line.restore()


async def test_answers_that_come_too_late_are_never_taken_for_those_of_others(
    distant_redis: Redis, line: Line
) -> None:
    """A check that was given up leaves its answer on the line; nobody else may read it there."""
    async with limiting(distant_redis, within=DEADLINE, is_present=False) as one:
        used_up = limits(1, 1, 1)
        org_id = uuid7()
        await one.check(org_id, used_up)
        line.delay = TOO_SLOW
        await one.check(org_id, used_up)
        line.delay = 0.0
        fresh = await one.check(uuid7(), limits(10, 20, 30))
        assert (fresh.admitted, fresh.limit.most, fresh.remaining) == (True, 10, 9)


async def test_a_redis_that_stays_slow_is_not_taken_up_again_and_again(
    distant_redis: Redis, line: Line
) -> None:
    org_id, under = uuid7(), limits(5, 100, 100)
    async with limiting(distant_redis, within=DEADLINE) as one:
        await until(lambda: one.is_prepared)
        line.delay = TOO_SLOW
        count = 0
        while not one.limiter.is_local:
            count += (await one.check(org_id, under)).admitted
        turns = line.turns
        while line.turns < turns + 4:
            verdict = await one.check(org_id, under)
            assert verdict.is_local
            count += verdict.admitted
            await asyncio.sleep(0.01)
        assert count <= 5
        assert one.told == [org_id]
        line.delay = 0.0
        await until(lambda: not one.limiter.is_local)


async def test_a_redis_that_comes_and_goes_admits_one_share_in_all(distant_redis: Redis, line: Line) -> None:
    org_id, under = uuid7(), limits(5, 100, 100)
    local_admissions = 0
    async with limiting(distant_redis) as one:
        for _ in range(2):
            await line.cut()
            local_admissions += admitted(await one.ask(org_id, under, 10))
            await line.restore()
            await until(lambda: not one.limiter.is_local)
    assert local_admissions == 5


async def test_the_stand_in_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "_CAPACITY", 30)
    limiter = local.LocalLimiter(lambda name: 0)
    for _ in range(100):
        limiter.check(Demand(limits(5, 5, 5), 0, ""), 1)
    assert len(limiter._logs) == 30


async def test_the_audit_tells_of_it(operator: Operator) -> None:
    org_id = await operator.organization()
    dropped: list[int] = []
    trail = AuditTrail(operator.postgres, dropped=dropped.append)
    trail.start()
    event = AuditEvent(org_id, "system", "limits.fallback", "degraded")
    trail.add(event)
    trail.add(event)  # as when the answer to a first try was lost
    await trail.close(within=5.0)
    async with operator.postgres.transaction(org_id) as connection:
        found = await connection.execute("SELECT id, outcome FROM ibex.audit_events WHERE actor = 'system'")
        assert await found.fetchall() == [(event.id, "degraded")]
    assert dropped == []
