"""Limits counted in Redis: exact, whoever counts."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ibex.auth import LimitSet
from ibex.errors import ErrorCode
from ibex.ids import uuid7
from ibex.storage import Redis, connect
from tests.auth.limits.limiting import admitted, limiting, limits
from tests.faults.waiting import until
from tests.fixtures import Database
from tests.storage.cluster import Cluster, running_cluster


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with running_cluster(tmp_path) as running:
        yield running


async def test_sixty_four_clients_get_exactly_the_limit(redis: Redis) -> None:
    org_id = uuid7()
    under = limits(1_000, 1_000, 40)
    async with limiting(redis) as one:
        verdicts = await one.ask(org_id, under, 64)
    assert admitted(verdicts) == 40
    assert sorted(verdict.remaining for verdict in verdicts if verdict.admitted) == list(range(40))
    assert not any(verdict.is_local for verdict in verdicts)


async def test_several_processes_together_get_exactly_the_limit(database: Database) -> None:
    org_id, under = uuid7(), limits(1_000, 150, 1_000)
    clients = [connect(database.redis_url, timeout=2.0) for _ in range(4)]
    try:
        async with (
            limiting(clients[0], "0") as a,
            limiting(clients[1], "1") as b,
            limiting(clients[2], "2") as c,
            limiting(clients[3], "3") as d,
        ):
            rounds = [
                await asyncio.gather(*(each.ask(org_id, under, 16) for each in (a, b, c, d)))
                for _ in range(5)
            ]
    finally:
        for client in clients:
            await client.aclose()
    assert sum(admitted(verdicts) for together in rounds for verdicts in together) == 150


async def test_more_than_one_batch_is_answered(redis: Redis) -> None:
    async with limiting(redis) as one:
        verdicts = await one.ask(uuid7(), limits(600, 600, 600), 700)
    assert admitted(verdicts) == 600


async def test_two_hundred_organizations_at_once_are_counted_in_redis(redis: Redis) -> None:
    async with limiting(redis) as one:
        verdicts = await asyncio.gather(*(one.check(uuid7(), limits(1, 1, 1)) for _ in range(200)))
    assert all(verdict.admitted and not verdict.is_local for verdict in verdicts)


async def test_a_refusal_by_the_organization_does_not_use_up_the_token(redis: Redis) -> None:
    org_id = uuid7()
    under = limits(10, 10, 2)
    token, agent, organization = under.limits
    wider = LimitSet.of((token, agent, replace(organization, most=100)))
    async with limiting(redis) as one:
        await one.ask(org_id, under, 20)
        verdict = await one.check(org_id, wider)
    assert verdict.limit.scope == "token"
    assert verdict.remaining == 10 - 3


async def test_organizations_do_not_share_a_limit(redis: Redis) -> None:
    under = limits(1, 1, 1)
    async with limiting(redis) as one:
        assert (await one.check(uuid7(), under)).admitted
        assert (await one.check(uuid7(), under)).admitted


async def test_the_tightest_limit_makes_the_headers(redis: Redis) -> None:
    async with limiting(redis) as one:
        under = limits(9, 2, 7)
        org_id = uuid7()
        verdict = await one.check(org_id, under)
        assert verdict.headers() == {
            "X-RateLimit-Limit": "2",
            "X-RateLimit-Remaining": "1",
            "X-RateLimit-Reset": str(verdict.reset),
            "X-RateLimit-Scope": "agent; requests",
        }
        assert verdict.reset == 60
        await one.check(org_id, under)
        refused = await one.check(org_id, under)
    error = refused.refusal()
    assert not refused.admitted
    assert (error.code, error.status) == (ErrorCode.RATE_LIMITED, 429)
    assert error.headers["Retry-After"] == str(refused.reset)
    assert "agent" in error.message


async def test_keys_carry_the_organization_and_expire(redis: Redis) -> None:
    org_id, under = uuid7(), limits(5, 5, 5)
    async with limiting(redis, is_present=False) as one:
        await one.check(org_id, under)
        keys = [key.decode() async for key in redis.scan_iter()]
        assert sorted(keys) == sorted(f"ibex:{{{org_id}}}:limit:{limit.name}" for limit in under.limits)
        for key in keys:
            assert 0 < await redis.ttl(key) <= 62


async def test_a_flushed_script_is_loaded_again(redis: Redis) -> None:
    org_id, under = uuid7(), limits(5, 5, 5)
    async with limiting(redis) as one:
        await one.check(org_id, under)
        await redis.script_flush()
        verdicts = await one.ask(org_id, under, 10)
        assert admitted(verdicts) == 4
        assert not any(verdict.is_local for verdict in verdicts)


async def test_a_caller_that_leaves_does_not_disturb_the_others(redis: Redis) -> None:
    org_id, under = uuid7(), limits(5, 5, 5)
    async with limiting(redis) as one:
        leaver = asyncio.create_task(one.check(org_id, under))
        stayer = asyncio.create_task(one.check(org_id, under))
        await asyncio.sleep(0)
        leaver.cancel()
        assert (await stayer).admitted


async def test_processes_are_counted_and_forgotten_when_they_stop(redis: Redis) -> None:
    async with limiting(redis, "one") as one:
        async with limiting(redis, "two") as two:
            await until(lambda: one.limiter._processes == two.limiter._processes == 2)
        await until(lambda: one.limiter._processes == 1)


async def test_a_cluster_counts_too(cluster: Cluster) -> None:
    client = connect(cluster.url, timeout=2.0)
    try:
        async with limiting(client) as one:
            await until(lambda: one.is_prepared)
            verdicts = await one.ask(uuid7(), limits(1_000, 1_000, 40), 64)
            assert admitted(verdicts) == 40
            assert not any(verdict.is_local for verdict in verdicts)
    finally:
        await client.aclose()


async def test_a_cluster_that_goes_away_and_comes_back_is_noticed(cluster: Cluster) -> None:
    client = connect(cluster.url, timeout=1.0)
    org_id, under = uuid7(), limits(4, 4, 4)
    try:
        async with limiting(client) as one:
            await one.check(org_id, under)
            cluster.kill()
            assert (await one.check(org_id, under)).is_local
            await until(lambda: one.limiter.is_local)
            cluster.launch()
            await until(lambda: not one.limiter.is_local)
            assert not (await one.check(org_id, under)).is_local
            assert one.told == one.restored == [org_id]
    finally:
        await client.aclose()
