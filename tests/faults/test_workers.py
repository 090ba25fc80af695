"""Workers that are killed, a job that kills them, and a queue that dies: every job is done."""

import asyncio
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest_asyncio
import redis
from redis.asyncio import Redis
from redis.exceptions import RedisError

from ibex.serving.supervisor import Place, Role
from ibex.storage import Postgres
from ibex.workers import Job, JobQueue, Payload, work
from ibex.workers.dead_letters import DeadLetterBox
from ibex.workers.queue import ON_DEMAND
from tests.embedded.running import wait_for
from tests.faults.conftest import Fault
from tests.faults.waiting import until
from tests.fixtures import Database, Servers
from tests.operator import Operator
from tests.serving.supervised import Supervised, note, supervised

# Seconds until another worker takes over from a dead one; in production it has more patience.
_LEASE = 0.6


async def left(database: Database, org_id: UUID, numbers: range) -> None:
    """Jobs that wait."""
    client = Redis.from_url(database.redis_url)
    jobs = {f"test.done:{org_id}:{n}": {"org_id": org_id, "number": n} for n in numbers}
    assert await JobQueue(client).put("test.done", jobs) == len(numbers)
    await client.aclose()


@contextmanager
def worker(database: Database, folder: Path, run: Any) -> Iterator[Supervised]:
    """A supervised process that does the jobs `test.done`, which note in the folder what they do."""

    async def do_jobs() -> None:
        postgres = Postgres(database.service_dsn, connections=1)
        async with AsyncExitStack() as running:
            await postgres.open()
            running.push_async_callback(postgres.close)
            await work(
                database.redis_url,
                (),
                [Job("test.done", run)],
                ready=lambda: None,
                stop=asyncio.Event(),
                dead_letters=DeadLetterBox(postgres),
                lease=_LEASE,
            )

    def role(place: Place) -> None:
        place.ready()
        asyncio.run(do_jobs())

    with supervised(folder, Role("job", 1, role)) as running:
        yield running


def is_empty(database: Database) -> bool:
    with redis.Redis.from_url(database.redis_url) as client:
        return bool(client.zcard(ON_DEMAND) == 0)


async def test_a_job_whose_worker_is_killed_is_done_once_by_its_successor(
    database: Database, operator: Operator, tmp_path: Path
) -> None:
    org_id = await operator.organization()
    await left(database, org_id, range(1))

    async def run(payload: Payload) -> None:
        note(tmp_path, "begun", os.getpid())
        if (tmp_path / "begun").read_text().count("\n") == 1:
            await asyncio.Event().wait()
        note(tmp_path, "done", payload["number"])

    with worker(database, tmp_path, run) as running:
        await asyncio.to_thread(wait_for, lambda: len(running.notes("begun")) == 1)
        os.kill(int(running.notes("begun")[0]), signal.SIGKILL)
        await asyncio.to_thread(wait_for, lambda: running.notes("done") == ["0"])
        await asyncio.to_thread(wait_for, lambda: is_empty(database))
        assert len(running.notes("begun")) == 2
    assert running.notes("done") == ["0"]


async def test_a_job_that_kills_its_workers_is_given_up_and_takes_none_along(
    database: Database, operator: Operator, tmp_path: Path
) -> None:
    org_id = await operator.organization()
    await left(database, org_id, range(8))

    async def run(payload: Payload) -> None:
        if payload["number"] == 0:
            note(tmp_path, "killed", payload["number"])
            os.kill(os.getpid(), signal.SIGKILL)
        await asyncio.sleep(0)
        note(tmp_path, "done", payload["number"])

    with worker(database, tmp_path, run) as running:
        await asyncio.to_thread(wait_for, lambda: is_empty(database), seconds=30.0)
        assert sorted(set(running.notes("done"))) == [str(number) for number in range(1, 8)]
        assert len(running.notes("killed")) == 3
    with psycopg.connect(database.superuser_dsn) as connection:
        letters = connection.execute("SELECT job_id, error, tries FROM ibex.dead_letters").fetchall()
        types = connection.execute("SELECT type FROM ibex.outbox").fetchall()
    assert letters == [(f"test.done:{org_id}:0", "WorkerDied", 3)]
    assert types == [("job.dead",)]


@pytest_asyncio.fixture
async def valkey(servers: Servers) -> AsyncIterator[Fault]:
    fault = Fault(servers.valkey)
    yield fault
    await fault.heal()


async def test_when_the_queue_is_killed_every_job_in_it_is_done(
    database: Database, operator: Operator, valkey: Fault
) -> None:
    numbers, done, stop = range(300), Counter[int](), asyncio.Event()
    org_id = await operator.organization()
    await left(database, org_id, numbers)

    async def run(payload: Payload) -> None:
        await asyncio.sleep(0)
        done[payload["number"]] += 1

    async with through_outages(database, Job("test.done", run), stop):
        await until(lambda: len(done) >= 20)
        await valkey.die()
        assert len(done) < len(numbers)
        await valkey.heal()
        await until(lambda: len(done) == len(numbers), seconds=30.0)
        await until(lambda: is_empty(database))
    # One that was done when the queue died may not have been struck off.
    assert sum(done.values()) < len(numbers) + 20


@asynccontextmanager
async def through_outages(database: Database, job: Job, stop: asyncio.Event) -> AsyncIterator[None]:
    """A worker that begins anew until its queue is there."""

    async def do_jobs() -> None:
        while not stop.is_set():
            try:
                await work(database.redis_url, (), [job], ready=lambda: None, stop=stop, lease=_LEASE)
            except (RedisError, OSError):
                await asyncio.sleep(0.05)

    working = asyncio.create_task(do_jobs())
    try:
        yield
    finally:
        stop.set()
        await asyncio.wait_for(working, 15.0)
