"""Jobs that are left in the queue, and done."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from arq.constants import in_progress_key_prefix
from redis.asyncio import Redis

from ibex.workers import Job, JobQueue, Payload, work
from ibex.workers.queue import ON_DEMAND
from tests.faults.waiting import until
from tests.fixtures import Database
from tests.security.redis_content import everything_in_redis

_PATIENCE = 10.0


@asynccontextmanager
async def queue(database: Database, **options: int) -> AsyncIterator[JobQueue]:
    redis = Redis.from_url(database.redis_url)
    yield JobQueue(redis, **options)
    await redis.aclose()


@asynccontextmanager
async def worker(database: Database, *jobs: Job) -> AsyncIterator[asyncio.Event]:
    """A worker that is told to stop at the end, and must then stop by itself."""
    stop = asyncio.Event()
    working = asyncio.create_task(work(database.redis_url, (), jobs, ready=lambda: None, stop=stop))
    try:
        yield stop
    finally:
        stop.set()
        await asyncio.wait_for(working, _PATIENCE)


class Done:
    """A job that keeps what it was given, and fails as often as it is told to."""

    def __init__(self, *, failures: int = 0) -> None:
        self.failures = failures
        self.payloads: list[Payload] = []

    async def run(self, payload: Payload) -> None:
        self.payloads.append(payload)
        if len(self.payloads) <= self.failures:
            raise RuntimeError(f"cannot read {payload}")


def job(done: Done, *retries: float) -> Job:
    return Job("test.done", done.run, retries=retries)


async def test_what_is_left_in_the_queue_is_done_with_its_payload(database: Database) -> None:
    done = Done()
    async with queue(database) as left, worker(database, job(done)):
        assert await left.put("test.done", {"a": {"number": 1}, "b": {"text": "ä"}}) == 2
        await until(lambda: len(done.payloads) == 2)
    assert done.payloads == [{"number": 1}, {"text": "ä"}]


async def test_what_waits_is_done_by_the_worker_that_comes_later(database: Database) -> None:
    done = Done()
    async with queue(database) as left:
        await left.put("test.done", {"a": {"number": 1}})
        async with worker(database, job(done)):
            await until(lambda: len(done.payloads) == 1)


async def test_a_job_that_waits_already_is_not_left_twice(database: Database) -> None:
    done, last = Done(), Done()
    async with queue(database) as left:
        await left.put("test.done", {"a": {"number": 1}})
        await left.put("test.done", {"a": {"number": 2}})
        await left.put("test.last", {"z": {}})
        async with worker(database, job(done), Job("test.last", last.run)):
            await until(lambda: len(last.payloads) == 1)
    assert done.payloads == [{"number": 1}]


async def test_a_job_that_fails_is_tried_again(database: Database) -> None:
    done = Done(failures=2)
    async with queue(database) as left, worker(database, job(done, 0.01, 0.01, 0.01)):
        await left.put("test.done", {"a": {"number": 1}})
        await until(lambda: len(done.payloads) == 3)
    assert done.payloads == [{"number": 1}] * 3


async def test_a_job_that_takes_too_long_is_tried_again(database: Database) -> None:
    tries: list[Payload] = []

    async def run(payload: Payload) -> None:
        tries.append(payload)
        if len(tries) == 1:
            await asyncio.Event().wait()

    slow = Job("test.slow", run, timeout=0.1, retries=(0.01,))
    async with queue(database) as left, worker(database, slow):
        await left.put("test.slow", {"a": {}})
        await until(lambda: len(tries) == 2)


async def test_one_that_always_fails_is_given_up_without_a_word_of_what_it_was_given(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="arq")
    done = Done(failures=99)
    async with queue(database) as left, worker(database, job(done, 0.01)):
        await left.put("test.done", {"a": {"text": "canary"}})
        await until(lambda: "was given up" in caplog.text)
    assert len(done.payloads) == 2
    assert not any("canary" in record.getMessage() for record in caplog.records)


async def test_nothing_is_kept_of_a_job_that_is_done(database: Database) -> None:
    done = Done()
    async with queue(database) as left, worker(database, job(done)):
        await left.put("test.done", {"a": {"text": "canary"}})
        await until(lambda: len(done.payloads) == 1)
    assert "canary" not in str(everything_in_redis(database.redis_url))


async def test_beyond_its_length_the_queue_takes_no_more(database: Database) -> None:
    async with queue(database, longest=3) as left:
        assert await left.put("test.done", {"a": {}, "b": {}}) == 2
        assert await left.put("test.done", {"c": {}, "d": {}}) == 1
        assert await left.put("test.done", {"e": {}}) == 0


async def test_a_job_cut_off_by_a_stop_is_done_by_the_next_worker(database: Database) -> None:
    started, tries = asyncio.Event(), list[Payload]()

    async def run(payload: Payload) -> None:
        tries.append(payload)
        started.set()
        if len(tries) == 1:
            await asyncio.Event().wait()

    cut_off = Job("test.cut", run, retries=())
    async with queue(database) as left:
        await left.put("test.cut", {"a": {}})
        working = asyncio.create_task(
            work(database.redis_url, (), [cut_off], ready=lambda: None, stop=asyncio.Event())
        )
        await asyncio.wait_for(started.wait(), _PATIENCE)
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
        async with worker(database, cut_off):
            await until(lambda: len(tries) == 2)


async def test_a_stop_is_no_try_however_often_it_comes(database: Database) -> None:
    started, tries = asyncio.Event(), list[Payload]()

    async def run(payload: Payload) -> None:
        tries.append(payload)
        started.set()
        if len(tries) < 6:
            await asyncio.Event().wait()

    cut_off = Job("test.cut", run)
    async with queue(database) as left:
        await left.put("test.cut", {"a": {}})
        for _ in range(5):
            started.clear()
            working = asyncio.create_task(
                work(database.redis_url, (), [cut_off], ready=lambda: None, stop=asyncio.Event())
            )
            await asyncio.wait_for(started.wait(), _PATIENCE)
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)
        async with worker(database, cut_off):
            await until(lambda: len(tries) == 6)


async def test_nobody_waits_for_a_dead_worker_longer_than_the_job_may_take(database: Database) -> None:
    started = asyncio.Event()

    async def run(payload: Payload) -> None:
        started.set()
        await asyncio.Event().wait()

    redis = Redis.from_url(database.redis_url)
    async with queue(database) as left, worker(database, Job("test.hangs", run, timeout=1.0)):
        await left.put("test.hangs", {"a": {}})
        await asyncio.wait_for(started.wait(), _PATIENCE)
        assert 0 < await redis.ttl(f"{in_progress_key_prefix}a") <= 16
    await redis.aclose()


def test_the_queue_has_a_name_of_its_own() -> None:
    assert ON_DEMAND.startswith("ibex:")
