"""Requests at a time: each has a lease in Redis for as long as it goes on, and no longer."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from uuid import UUID

import pytest

from ibex.auth import LimitSet
from ibex.auth.limits import Limit, limiter
from ibex.ids import uuid7
from ibex.storage import Redis, connect, organization_key
from tests.auth.limits.limiting import admitted, concurrent, limiting
from tests.faults.line import Line
from tests.faults.waiting import until
from tests.fixtures import Database

LEASE = 30


def key_of(org_id: UUID, under: LimitSet) -> str:
    return organization_key(org_id, "limit", under.limits[0].name)


def holds(redis: Redis, org_id: UUID, under: LimitSet, count: int) -> Callable[[], Awaitable[bool]]:
    """Whether Redis knows so many leases."""

    async def are_there() -> bool:
        return int(await redis.zcard(key_of(org_id, under))) == count

    return are_there


async def test_so_many_at_a_time_and_no_more(redis: Redis) -> None:
    org_id, under = uuid7(), concurrent(10)
    async with limiting(redis) as one:
        verdicts = await one.ask(org_id, under, 64)
        refused = next(verdict for verdict in verdicts if not verdict.admitted)
    assert admitted(verdicts) == 10
    assert refused.headers()["X-RateLimit-Scope"] == "agent; concurrent"
    assert refused.refusal().headers["Retry-After"] == "1"
    assert "agent has reached its limit of 10 concurrent requests" in refused.refusal().message


async def test_one_that_ends_makes_room_for_the_next_at_once(redis: Redis) -> None:
    """A caller that asks again as soon as it has its answer is not refused."""
    org_id, under = uuid7(), concurrent(1)
    async with limiting(redis, is_present=False) as one:
        for _ in range(50):
            (await one.admit(org_id, under)).end(0)


async def test_another_process_learns_of_it_soon(redis: Redis, database: Database) -> None:
    org_id, under = uuid7(), concurrent(1)
    neighbour = connect(database.redis_url, timeout=2.0)
    async with limiting(redis, "one") as one, limiting(neighbour, "two") as two:
        hold = await one.admit(org_id, under)
        assert not (await two.check(org_id, under)).admitted
        hold.end(0)
        await until(holds(redis, org_id, under, 0))
        assert (await two.check(org_id, under)).admitted
    await neighbour.aclose()


async def test_ending_twice_makes_room_once(redis: Redis) -> None:
    org_id, under = uuid7(), concurrent(2)
    async with limiting(redis) as one:
        hold = await one.admit(org_id, under)
        await one.admit(org_id, under)
        hold.end(0)
        hold.end(0)
        assert admitted(await one.ask(org_id, under, 5)) == 1


async def test_who_leaves_while_it_is_asked_for_has_no_lease(redis: Redis) -> None:
    org_id, under = uuid7(), concurrent(3)
    async with limiting(redis) as one:
        leaving = [asyncio.create_task(one.check(org_id, under)) for _ in range(3)]
        await asyncio.sleep(0)
        for task in leaving:
            task.cancel()
        await asyncio.gather(*leaving, return_exceptions=True)
        await until(lambda: not one.limiter._waiting)
        assert admitted(await one.ask(org_id, under, 5)) == 3


async def test_who_leaves_in_the_moment_of_the_answer_has_no_lease(redis: Redis) -> None:
    org_id, under = uuid7(), concurrent(1)
    async with limiting(redis) as one:
        leaving = asyncio.create_task(one.check(org_id, under))
        await until(lambda: len(one.limiter._leases) == 1)
        # The verdict is there, the task has not seen it; or it has, and ends by itself.
        if leaving.cancel():
            await asyncio.gather(leaving, return_exceptions=True)
            assert leaving.cancelled()
            assert (await one.check(org_id, under)).admitted


async def test_leases_are_renewed(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limiter, "_PRESENCE_EVERY", 0.01)
    monkeypatch.setattr(limiter, "_RENEW_EVERY", 0.02)
    org_id, under = uuid7(), concurrent(5)
    key = key_of(org_id, under)
    async with limiting(redis) as one:
        hold = await one.admit(org_id, under)
        [(lease, expires)] = await redis.zrange(key, 0, -1, withscores=True)
        await redis.zadd(key, {lease: expires - 20})

        async def is_renewed() -> bool:
            return bool(await redis.zscore(key, lease) >= expires)

        await until(is_renewed)
        hold.end(0)
        await until(holds(redis, org_id, under, 0))


async def test_a_lease_that_ends_while_it_is_renewed_does_not_come_back(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limiter, "_PRESENCE_EVERY", 0.0)
    monkeypatch.setattr(limiter, "_RENEW_EVERY", 0.0)
    org_id, under = uuid7(), concurrent(100)
    async with limiting(redis) as one:

        async def call() -> None:
            for _ in range(100):
                hold = await one.admit(org_id, under)
                await asyncio.sleep(0)
                hold.end(0)

        await asyncio.gather(*(call() for _ in range(8)))
    assert await redis.zcard(key_of(org_id, under)) == 0


async def test_a_process_that_is_gone_holds_nothing_after_half_a_minute(redis: Redis) -> None:
    org_id, under = uuid7(), concurrent(1)
    async with limiting(redis, is_present=False) as gone:
        await gone.admit(org_id, under)
        [(_, expires)] = await redis.zrange(key_of(org_id, under), 0, -1, withscores=True)
        seconds, _ = await redis.time()
        assert LEASE - 2 <= expires - seconds <= LEASE
        assert LEASE - 2 <= await redis.ttl(key_of(org_id, under)) <= LEASE + 1


async def test_what_redis_has_lost_is_entered_again(redis: Redis) -> None:
    org_id, under = uuid7(), concurrent(3)
    async with limiting(redis) as one:
        for _ in range(2):
            await one.admit(org_id, under)
        await redis.flushall()
        await until(holds(redis, org_id, under, 2))
        assert admitted(await one.ask(org_id, under, 5)) == 1


async def test_while_redis_is_away_a_process_has_its_share_of_places(
    distant_redis: Redis, line: Line, database: Database
) -> None:
    org_id, under = uuid7(), concurrent(6)
    neighbour = connect(database.redis_url, timeout=2.0)
    async with limiting(distant_redis, "one") as one, limiting(neighbour, "two"):
        await until(lambda: one.limiter._processes == 2)
        first = await one.admit(org_id, under)
        await line.cut()
        verdicts = await one.ask(org_id, under, 5)
        # Of three, one is taken since before the outage.
        assert admitted(verdicts) == 2
        assert all(verdict.is_local for verdict in verdicts)
        first.end(0)
        assert admitted(await one.ask(org_id, under, 5)) == 1
        await line.restore()
    await neighbour.aclose()


async def test_what_began_while_redis_was_away_is_entered_before_it_counts_again(
    distant_redis: Redis, redis: Redis, line: Line
) -> None:
    org_id, under = uuid7(), concurrent(4)
    async with limiting(distant_redis) as one:
        before = await one.admit(org_id, under)
        await line.cut()
        during = [await one.admit(org_id, under) for _ in range(2)]
        await redis.flushall()
        await line.restore()
        await until(lambda: not one.limiter.is_local)
        assert await redis.zcard(key_of(org_id, under)) == 3
        assert admitted(await one.ask(org_id, under, 5)) == 1
        for hold in (before, *during):
            hold.end(0)
        await until(holds(redis, org_id, under, 1))


async def test_what_ended_while_redis_was_away_is_released_when_it_is_back(
    distant_redis: Redis, redis: Redis, line: Line
) -> None:
    org_id, under = uuid7(), concurrent(4)
    async with limiting(distant_redis) as one:
        hold = await one.admit(org_id, under)
        await line.cut()
        await until(lambda: one.limiter.is_local)
        hold.end(0)
        assert await redis.zcard(key_of(org_id, under)) == 1
        await line.restore()
        await until(holds(redis, org_id, under, 0))


async def test_a_stop_releases_what_has_ended(redis: Redis) -> None:
    org_id, under = uuid7(), concurrent(4)
    async with limiting(redis) as one:
        (await one.admit(org_id, under)).end(0)
    assert await redis.zcard(key_of(org_id, under)) == 0


async def test_a_late_answer_leaves_no_lease_behind(distant_redis: Redis, redis: Redis, line: Line) -> None:
    """Redis has admitted what was judged here in the meantime, and refused here."""
    org_id, under = uuid7(), concurrent(1)
    async with limiting(distant_redis, within=0.25) as one:
        await until(lambda: one.is_prepared)
        hold = await one.admit(org_id, under)
        hold.end(0)
        await until(holds(redis, org_id, under, 0))
        line.delay = 0.2
        late = await one.admit(org_id, under)
        assert not (await one.check(org_id, under)).admitted
        line.delay = 0.0
        late.end(0)
        await until(holds(redis, org_id, under, 0))
        await until(lambda: not one.limiter.is_local)
        assert (await one.check(org_id, under)).admitted


async def test_every_scope_counts(redis: Redis) -> None:
    org_id = uuid7()
    token = Limit("token", "concurrent", str(uuid7()), 2)
    organization = Limit("organization", "concurrent", str(org_id), 3)
    both = LimitSet.of((token, organization))
    async with limiting(redis) as one:
        assert admitted(await one.ask(org_id, both, 5)) == 2
        assert admitted(await one.ask(org_id, LimitSet.of((organization,)), 5)) == 1


async def test_a_lease_does_not_depend_on_the_clock_of_the_process(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    org_id, under = uuid7(), concurrent(1)
    async with limiting(redis, is_present=False) as one:
        monkeypatch.setattr(time, "time", lambda: 0.0)
        await one.admit(org_id, under)
        assert not (await one.check(org_id, under)).admitted
