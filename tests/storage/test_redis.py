"""One server or a cluster behind the same client."""

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis.exceptions import RedisError

from ibex.ids import uuid7
from ibex.storage import Redis, connect, connect_single, organization_key
from tests.faults.waiting import until
from tests.fixtures import Database
from tests.storage.cluster import Cluster, running_cluster


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with running_cluster(tmp_path) as running:
        yield running


def test_the_keys_of_an_organization_share_a_slot_and_start_with_its_tag() -> None:
    org_id = uuid7()
    assert organization_key(org_id, "limit", 1) == f"ibex:{{{org_id}}}:limit:1"


async def test_more_commands_than_connections_wait_for_their_turn(database: Database) -> None:
    redis = connect(database.redis_url, timeout=2.0, connections=4)
    try:
        answers = await asyncio.gather(*(redis.incr("turn") for _ in range(64)))
        assert sorted(answers) == list(range(1, 65))
    finally:
        await redis.aclose()


async def test_a_server_that_does_not_accept_is_a_redis_error() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        for scheme in ("redis", "redis+cluster"):
            redis = connect(f"{scheme}://127.0.0.1:{port}", timeout=0.5)
            for _ in range(2):
                with pytest.raises(RedisError):
                    await redis.set("key", "value")
                with pytest.raises(RedisError):
                    await _in_a_pipeline(redis)
            await redis.aclose()


async def _in_a_pipeline(redis: Redis) -> None:
    async with redis.pipeline(transaction=False) as pipeline:
        pipeline.get("key")
        await pipeline.execute()


async def test_a_cluster_takes_commands_and_carries_messages(cluster: Cluster) -> None:
    redis, listener = connect(cluster.url, timeout=2.0), connect_single(cluster.url, timeout=2.0)
    try:
        assert await redis.set("ibex:{a}:key", "value", nx=True, get=True, ex=10) is None
        assert await redis.set("ibex:{a}:key", "other", nx=True, get=True, ex=10) == b"value"
        async with listener.pubsub() as subscription:
            await subscription.subscribe("changes")
            await subscription.get_message(timeout=2.0)
            await listener.publish("changes", b"something")
            message = await subscription.get_message(timeout=2.0)
        assert message is not None
        assert message["data"] == b"something"
    finally:
        await redis.aclose()
        await listener.aclose()


async def test_a_cluster_that_was_away_as_a_whole_is_found_again(cluster: Cluster) -> None:
    redis = connect(cluster.url, timeout=1.0)
    try:
        assert await redis.ping()
        cluster.kill()
        for _ in range(3):
            with pytest.raises(RedisError):
                await redis.set("key", "value")
        cluster.launch()

        async def is_back() -> bool:
            try:
                return bool(await redis.set("key", "value"))
            except RedisError:
                return False

        await until(is_back)
    finally:
        await redis.aclose()
