"""Dead letters over REST, from the queue and back."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
from arq.constants import job_key_prefix
from prometheus_client.parser import text_string_to_metric_families
from redis.asyncio import Redis

from ibex.auth import ALL
from ibex.errors import ErrorCode, IbexError
from ibex.workers import Job, JobQueue, Payload, work
from ibex.workers.dead_letters import DeadLetterBox, DeadLetterService, expire_dead_letters
from ibex.workers.queue import ON_DEMAND
from tests.faults.waiting import until
from tests.fixtures import Database
from tests.operator import Operator
from tests.rest.api import Api
from tests.service import Service
from tests.workers.letters import given_up, letters


@pytest_asyncio.fixture
async def admin(service: Service, operator: Operator) -> AsyncIterator[Api]:
    async with Api(service, await operator.token(service.org_id, ALL, None)) as api:
        yield api


@pytest_asyncio.fixture
async def redis(database: Database) -> AsyncIterator[Redis]:
    client = Redis.from_url(database.redis_url)
    yield client
    await client.aclose()


async def buried(service: Service, operator: Operator, **fields: Any) -> str:
    """The id of a new dead letter."""
    job = given_up(service.org_id, **fields)
    assert await DeadLetterBox(operator.postgres).add(job)
    known = {each["job_id"]: each["id"] for each in await letters(operator.postgres, service.org_id)}
    return str(known[job.job_id])


async def sample(service: Service, name: str) -> float:
    """One number of `/metrics`."""
    async with service.http() as client:
        text = (await client.get("/metrics")).text
    [found] = [
        each.value
        for family in text_string_to_metric_families(text)
        for each in family.samples
        if each.name == name
    ]
    return float(found)


async def test_a_poison_job_blocks_nobody_and_is_done_once_it_is_replayed(
    service: Service, operator: Operator, admin: Api, database: Database, redis: Redis
) -> None:
    done, is_well = list[int](), list[bool]()

    async def run(payload: Payload) -> None:
        if payload["number"] == 0 and not is_well:
            raise RuntimeError("canary")
        done.append(payload["number"])

    queue, stop = JobQueue(redis), asyncio.Event()
    jobs = {
        f"test.done:{service.org_id}:{number}": {"org_id": service.org_id, "number": number}
        for number in range(20)
    }
    await queue.put("test.done", jobs)
    await redis.set(f"{job_key_prefix}test.done:{service.org_id}:bad", b"\x80 no JSON")
    await redis.zadd(ON_DEMAND, {f"test.done:{service.org_id}:bad": 1})
    assert await sample(service, "ibex_queue_jobs") == 21
    assert not await workers_are_seen(admin)

    working = asyncio.create_task(
        work(
            database.redis_url,
            (),
            [Job("test.done", run, retries=(0.01,))],
            ready=lambda: None,
            stop=stop,
            dead_letters=DeadLetterBox(operator.postgres),
            count=service.instruments.count_job,
        )
    )
    try:
        await until(lambda: len(done) == 19)
        await until(lambda: service.instruments.jobs.total("other", "dead") == 2)
        assert service.instruments.jobs.total("other", "failed") == 1
        found = await admin.every("/dead-letters", limit=1)
        by_error = {each["error"]: each for each in found}
        assert by_error.keys() == {"RuntimeError", "UnreadablePayload"}
        assert by_error["RuntimeError"]["tries"] == 2
        assert "canary" not in str(found)

        is_well.append(True)
        answer = await admin.call("POST", f"/dead-letters/{by_error['RuntimeError']['id']}/replay")
        assert answer.status_code == 204
        await until(lambda: 0 in done)
        unreadable = f"/dead-letters/{by_error['UnreadablePayload']['id']}"
        assert await admin.refusal("POST", f"{unreadable}/replay") == (409, "CONFLICT")
        await admin.delete(unreadable)
        assert await admin.every("/dead-letters") == []
        await until(lambda: queue_is_empty(queue))
        await until(lambda: workers_are_seen(admin))
    finally:
        stop.set()
        await working
    assert sorted(done) == list(range(20))
    await until(lambda: is_sampled(service, "ibex_queue_jobs", 0.0))


async def queue_is_empty(queue: JobQueue) -> bool:
    return (await queue.state()).waiting == 0


async def workers_are_seen(api: Api) -> bool:
    """Whether `/ready` says so."""
    state = (await api.client.get("/ready")).json()["dependencies"]["workers"]
    return bool(state["ok"])


async def is_sampled(service: Service, name: str, value: float) -> bool:
    return await sample(service, name) == value


async def test_what_is_shown_is_not_what_was_said(service: Service, operator: Operator, admin: Api) -> None:
    first = await buried(service, operator)
    second = await buried(service, operator, name="test.other", tries=1)
    shown = await admin.get(f"/dead-letters/{first}")
    assert shown["keys"] == ["org_id", "text"]
    assert shown["size"] > 50
    assert "canary" not in str(shown)
    assert [each["id"] for each in await admin.every("/dead-letters", limit=1)] == sorted([first, second])
    assert [each["id"] for each in await admin.every("/dead-letters", name="test.other")] == [second]


async def test_of_two_who_replay_it_at_once_one_does(
    service: Service, operator: Operator, admin: Api, redis: Redis
) -> None:
    path = f"/dead-letters/{await buried(service, operator)}/replay"
    answers = await asyncio.gather(*(admin.call("POST", path) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [204, 403, 403, 403]
    assert await redis.zcard(ON_DEMAND) == 1
    assert await letters(operator.postgres, service.org_id) == []
    replays = await admin.every("/audit", action="dead_letter.replay")
    assert [each["outcome"] for each in replays] == ["success"]


async def test_what_cannot_be_put_back_stays(service: Service, operator: Operator, redis: Redis) -> None:
    await buried(service, operator)
    [letter] = await letters(operator.postgres, service.org_id)
    actor = operator.actor(service.org_id)
    nowhere = Redis.from_url("redis://127.0.0.1:1")
    for queue in (JobQueue(redis, longest=0), JobQueue(nowhere)):
        with pytest.raises(IbexError) as refused:
            await DeadLetterService(operator.postgres, queue).replay(actor, letter["id"])
        assert refused.value.code is ErrorCode.SERVICE_DEGRADED
    await nowhere.aclose()
    assert len(await letters(operator.postgres, service.org_id)) == 1


async def test_nobody_keeps_them_for_ever_nor_too_many(operator: Operator) -> None:
    org_id, other = await operator.organization(), await operator.organization("other")
    box, now = DeadLetterBox(operator.postgres), datetime.now(UTC)
    for days in (40, 3, 2, 1):
        await box.add(given_up(org_id, died_at=now - timedelta(days=days), tries=days))
    await box.add(given_up(other))

    await expire_dead_letters(operator.postgres, timedelta(days=30), 3)
    assert [each["tries"] for each in await letters(operator.postgres, org_id)] == [3, 2, 1]
    await expire_dead_letters(operator.postgres, timedelta(days=30), 2)
    assert [each["tries"] for each in await letters(operator.postgres, org_id)] == [2, 1]
    assert len(await letters(operator.postgres, other)) == 1


async def test_an_organization_takes_along_what_waits_of_it(operator: Operator, redis: Redis) -> None:
    ada, bob = await operator.organization(), await operator.organization("bob")
    queue = JobQueue(redis)
    for org_id in (ada, bob):
        await queue.put("test.done", {f"test.done:{org_id}:{n}": {"org_id": org_id} for n in range(1_100)})
    await queue.forget(ada)
    assert (await queue.state()).waiting == 1_100
    keys = [key.decode() async for key in redis.scan_iter(count=5_000)]
    assert not any(str(ada) in key for key in keys)
    assert len([key for key in keys if str(bob) in key]) == 1_100
