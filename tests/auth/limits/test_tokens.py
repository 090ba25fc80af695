"""Tokens per minute: reserved before a call, settled after it."""

from uuid import UUID

from ibex.auth import LimitSet
from ibex.auth.limits import Limit
from ibex.errors import ErrorCode
from ibex.ids import uuid7
from ibex.storage import Redis, connect, organization_key
from tests.auth.limits.limiting import admitted, limiting, tokens
from tests.faults.line import Line
from tests.faults.waiting import until
from tests.fixtures import Database


async def counted(redis: Redis, org_id: UUID, under: LimitSet) -> int:
    key = organization_key(org_id, "limit", under.limits[0].name)
    return int(await redis.execute_command("HGET", key, "total") or 0)


async def test_what_is_reserved_together_is_never_more_than_the_limit(redis: Redis) -> None:
    org_id, under = uuid7(), tokens(1_000)
    async with limiting(redis) as one:
        verdicts = await one.ask(org_id, under, 64, tokens=90)
    assert admitted(verdicts) == 11
    assert {verdict.remaining for verdict in verdicts if not verdict.admitted} == {10}


async def test_the_next_request_counts_with_what_was_used(redis: Redis) -> None:
    org_id, under = uuid7(), tokens(1_000)
    async with limiting(redis, is_present=False) as one:
        (await one.admit(org_id, under, 900)).end(150)
        assert (await one.check(org_id, under, 50)).remaining == 800


async def test_usage_is_settled_without_another_request(redis: Redis, database: Database) -> None:
    org_id, under = uuid7(), tokens(1_000)
    neighbour = connect(database.redis_url, timeout=2.0)
    async with limiting(redis, "one") as one, limiting(neighbour, "two") as two:
        hold = await one.admit(org_id, under, 900)
        assert not (await two.check(org_id, under, 200)).admitted
        hold.end(30)

        async def is_settled() -> bool:
            return await counted(redis, org_id, under) == 30

        await until(is_settled)
        assert (await two.check(org_id, under, 200)).remaining == 770
    await neighbour.aclose()


async def test_usage_above_the_estimate_counts_in_full(redis: Redis) -> None:
    org_id, under = uuid7(), tokens(1_000)
    async with limiting(redis) as one:
        (await one.admit(org_id, under, 100)).end(990)
        assert not (await one.check(org_id, under, 100)).admitted


async def test_a_call_that_came_to_nothing_gives_everything_back(redis: Redis) -> None:
    org_id, under = uuid7(), tokens(1_000)
    async with limiting(redis) as one:
        (await one.admit(org_id, under, 900)).end(0)
        assert (await one.check(org_id, under, 1_000)).admitted


async def test_where_nobody_knows_the_estimate_stands(redis: Redis) -> None:
    org_id, under = uuid7(), tokens(1_000)
    async with limiting(redis) as one:
        (await one.admit(org_id, under, 900)).end(None)
        assert (await one.check(org_id, under, 1)).remaining == 99


async def test_a_request_that_can_never_fit_is_told_so(redis: Redis) -> None:
    async with limiting(redis) as one:
        verdict = await one.check(uuid7(), tokens(1_000), 1_500)
    error = verdict.refusal(1_500)
    assert (verdict.admitted, error.code) == (False, ErrorCode.RATE_LIMITED)
    assert "may use 1500 tokens" in error.message
    assert "limited to 1000 tokens per minute: it can never be admitted" in error.message
    assert "Retry-After" not in error.headers


async def test_each_scope_is_settled(redis: Redis) -> None:
    org_id = uuid7()
    agent = Limit("agent", "tokens", str(uuid7()), 1_000)
    organization = Limit("organization", "tokens", str(org_id), 5_000)
    async with limiting(redis) as one:
        (await one.admit(org_id, LimitSet.of((agent, organization)), 900)).end(100)
        assert (await one.check(org_id, LimitSet.of((agent,)), 1)).remaining == 899
        assert (await one.check(org_id, LimitSet.of((organization,)), 1)).remaining == 4_899


async def test_while_redis_is_away_tokens_are_counted_here(distant_redis: Redis, line: Line) -> None:
    org_id, under = uuid7(), tokens(1_000)
    async with limiting(distant_redis) as one:
        await until(lambda: one.is_prepared)
        await line.cut()
        hold = await one.admit(org_id, under, 900)
        assert not (await one.check(org_id, under, 200)).admitted
        hold.end(100)
        verdict = await one.check(org_id, under, 200)
        assert (verdict.admitted, verdict.is_local, verdict.remaining) == (True, True, 700)
        await line.restore()


async def test_what_is_used_when_redis_is_back_settles_what_was_reserved_before(
    distant_redis: Redis, redis: Redis, line: Line
) -> None:
    org_id, under = uuid7(), tokens(1_000)
    async with limiting(distant_redis) as one:
        hold = await one.admit(org_id, under, 900)
        await line.cut()
        await until(lambda: one.limiter.is_local)
        hold.end(100)
        await line.restore()

        async def is_settled() -> bool:
            return await counted(redis, org_id, under) == 100

        await until(is_settled)
