"""Workers on the real queue."""

import asyncio
import pickle
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import orjson
import pytest
import redis

from ibex.workers import PeriodicJob, work
from ibex.workers.queue import QUEUE
from tests.fixtures import Database

_PATIENCE = 10.0


@asynccontextmanager
async def worker(database: Database, *jobs: PeriodicJob) -> AsyncIterator[asyncio.Event]:
    """A worker that is told to stop at the end, and must then stop by itself."""
    stop, ready = asyncio.Event(), asyncio.Event()
    working = asyncio.create_task(work(database.redis_url, jobs, ready=ready.set, stop=stop))
    await asyncio.wait_for(ready.wait(), _PATIENCE)
    yield stop
    stop.set()
    await asyncio.wait_for(working, _PATIENCE)


async def test_a_periodic_job_runs_at_the_start(database: Database) -> None:
    done = asyncio.Event()

    async def run() -> None:
        done.set()

    async with worker(database, PeriodicJob("test.run", run)):
        await asyncio.wait_for(done.wait(), _PATIENCE)


async def test_a_worker_finishes_the_job_under_way_before_it_stops(database: Database) -> None:
    started, may_end, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def run() -> None:
        started.set()
        await may_end.wait()
        ended.set()

    async with worker(database, PeriodicJob("test.slow", run)) as stop:
        await asyncio.wait_for(started.wait(), _PATIENCE)
        stop.set()
        may_end.set()
    assert ended.is_set()


async def test_jobs_are_kept_as_json(database: Database) -> None:
    running, may_end = asyncio.Event(), asyncio.Event()

    async def run() -> None:
        running.set()
        await may_end.wait()

    async with worker(database, PeriodicJob("test.kept", run)):
        await asyncio.wait_for(running.wait(), _PATIENCE)
        client = redis.Redis.from_url(database.redis_url)
        stored = [client.get(key) for key in client.scan_iter("arq:job:*")]
        client.close()
        may_end.set()
    assert stored
    for value in stored:
        assert isinstance(value, bytes)
        assert orjson.loads(value)
        with pytest.raises((pickle.UnpicklingError, ValueError, KeyError, EOFError, IndexError)):
            pickle.loads(value)


async def test_a_lost_queue_ends_the_worker(database: Database) -> None:
    with pytest.raises((redis.RedisError, OSError)):
        await work(
            "unix:///nonexistent/valkey.sock",
            [PeriodicJob("test.never", _never)],
            ready=lambda: None,
            stop=asyncio.Event(),
        )


async def _never() -> None:
    raise AssertionError("no queue, no job")


def test_the_queue_has_a_name_of_its_own() -> None:
    assert QUEUE.startswith("ibex:")
