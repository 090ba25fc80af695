"""One try of a job after the other, and where it ends."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest_asyncio
from redis.asyncio import Redis

from ibex.ids import uuid7
from ibex.storage import Postgres
from ibex.workers import Job, Payload
from ibex.workers.attempts import AttemptBook
from ibex.workers.dead_letters import DeadLetterBox
from ibex.workers.execution import Execution, Later, LeftJob
from tests.fixtures import Database
from tests.operator import Operator
from tests.workers.letters import events, letters


@dataclass
class Bench:
    """An organization, and executions of one kind of job for it."""

    operator: Operator
    redis: Redis
    org_id: UUID
    counted: Counter[tuple[str, str]] = field(default_factory=Counter)
    error: Exception | None = None
    begun: list[Payload] = field(default_factory=list)

    def execution(
        self, *, postgres: Postgres | None = None, retries: tuple[float, ...] = (1.0, 10.0)
    ) -> Execution:
        return Execution(
            [Job("test.done", self._run, retries=retries)],
            AttemptBook(self.redis),
            DeadLetterBox(postgres or self.operator.postgres),
            lambda name, outcome: self.counted.update([(name, outcome)]),
        )

    def left(self, tries: int, **fields: Any) -> LeftJob:
        usual = {
            "name": "test.done",
            "id": f"test.done:{self.org_id}:1",
            "payload": {"org_id": str(self.org_id), "text": "canary"},
        }
        return LeftJob(**{**usual, **fields}, tries=tries)

    async def letters(self) -> list[dict[str, Any]]:
        return await letters(self.operator.postgres, self.org_id)

    async def _run(self, payload: Payload) -> None:
        self.begun.append(payload)
        if self.error is not None:
            raise self.error


@pytest_asyncio.fixture
async def bench(database: Database, operator: Operator) -> AsyncIterator[Bench]:
    redis = Redis.from_url(database.redis_url)
    yield Bench(operator, redis, await operator.organization())
    await redis.aclose()


@asynccontextmanager
async def away() -> AsyncIterator[Postgres]:
    """A database that nobody can reach."""
    postgres = Postgres("host=127.0.0.1 port=1 dbname=nowhere", connections=1, wait=0.05)
    await postgres.open()
    yield postgres
    await postgres.close()


async def test_after_its_last_retry_a_job_is_a_dead_letter_and_its_organization_is_told(bench: Bench) -> None:
    bench.error = RuntimeError("cannot read canary")
    execution = bench.execution()
    assert await execution.run(bench.left(1)) == Later(1.0, is_try=True)
    assert await execution.run(bench.left(2)) == Later(10.0, is_try=True)
    assert await execution.run(bench.left(3)) is None

    [letter] = await bench.letters()
    assert (letter["name"], letter["tries"], letter["error"]) == ("test.done", 3, "RuntimeError")
    assert letter["job_id"] == f"test.done:{bench.org_id}:1"
    assert letter["keys"] == ["org_id", "text"]
    assert letter["first_failed_at"] < letter["died_at"]
    [event] = await events(bench.operator.postgres, bench.org_id)
    assert (event["type"], event["id"], event["at"]) == ("job.dead", letter["id"], letter["died_at"])
    assert event["data"]["dead_letter_id"] == str(letter["id"])
    assert "canary" not in str(event)
    assert bench.counted == {("test.done", "failed"): 2, ("test.done", "dead"): 1}
    assert await bench.redis.keys("ibex:jobs:attempts:*") == []


async def test_a_job_that_is_done_at_last_leaves_no_trace(bench: Bench) -> None:
    bench.error = RuntimeError()
    execution = bench.execution()
    await execution.run(bench.left(1))
    bench.error = None
    assert await execution.run(bench.left(2)) is None
    assert await bench.letters() == []
    assert await bench.redis.keys("ibex:jobs:attempts:*") == []
    assert bench.counted == {("test.done", "failed"): 1, ("test.done", "done"): 1}


async def test_a_job_that_is_given_up_twice_is_one_dead_letter(bench: Bench) -> None:
    """As when a worker dies between the letter and the queue."""
    for _ in range(2):
        await bench.execution().run(bench.left(1, payload=None))
    assert len(await bench.letters()) == 1
    assert len(await events(bench.operator.postgres, bench.org_id)) == 1


async def test_a_job_that_nobody_knows_waits_for_a_worker_that_does(bench: Bench) -> None:
    stranger = {"name": "test.unknown", "id": f"test.unknown:{bench.org_id}:1"}
    execution = bench.execution()
    pauses = [await execution.run(bench.left(tries, **stranger)) for tries in (1, 2, 3)]
    assert pauses == [Later(1.0, True), Later(10.0, True), Later(100.0, True)]
    assert await execution.run(bench.left(4, **stranger)) is None
    [letter] = await bench.letters()
    assert (letter["name"], letter["error"]) == ("test.unknown", "UnknownJob")


async def test_a_job_under_which_its_worker_has_died_three_times_is_tried_no_more(bench: Bench) -> None:
    assert await bench.execution().run(bench.left(4)) is None
    assert bench.begun == []
    [letter] = await bench.letters()
    assert (letter["error"], letter["tries"]) == ("WorkerDied", 3)


async def test_a_worker_that_died_takes_no_retry_from_a_job_that_fails(bench: Bench) -> None:
    bench.error = RuntimeError()
    execution = bench.execution()
    assert await execution.run(bench.left(2)) == Later(1.0, is_try=True)
    assert await execution.run(bench.left(4)) == Later(10.0, is_try=True)
    assert await execution.run(bench.left(5)) is None
    [letter] = await bench.letters()
    assert (letter["error"], letter["tries"]) == ("RuntimeError", 5)


async def test_of_the_jobs_that_were_cut_off_one_runs_at_a_time(bench: Bench) -> None:
    execution = bench.execution()
    one, other = await asyncio.gather(
        execution.run(bench.left(2)), execution.run(bench.left(2, id=f"test.done:{bench.org_id}:2"))
    )
    assert one is None
    assert other is not None
    assert not other.is_try
    assert len(bench.begun) == 1
    assert await execution.run(bench.left(2, id=f"test.done:{bench.org_id}:2")) is None


async def test_while_the_database_is_away_a_job_stays_and_is_tried_on(bench: Bench) -> None:
    bench.error = RuntimeError()
    async with away() as nowhere:
        later = await bench.execution(postgres=nowhere, retries=()).run(bench.left(1))
        assert later is not None
        assert later.is_try
        unreadable = await bench.execution(postgres=nowhere).run(bench.left(1, payload=None))
        assert unreadable is not None
        assert not unreadable.is_try
    assert bench.counted == {}
    bench.error = None
    assert await bench.execution(retries=()).run(bench.left(2)) is None
    assert bench.counted == {("test.done", "done"): 1}


async def test_what_belongs_to_no_organization_is_counted(bench: Bench) -> None:
    bench.error = RuntimeError()
    execution = bench.execution(retries=())
    gone = uuid7()
    for number, (job_id, payload) in enumerate(
        [("a", {}), ("b", {"org_id": 7}), ("c", {"org_id": str(gone)}), (f"d:{gone}:1", None)], 1
    ):
        assert await execution.run(bench.left(1, id=job_id, payload=payload)) is None
        assert bench.counted == {("test.done", "lost"): number}
    assert await bench.letters() == []


async def test_a_payload_need_not_be_what_a_database_can_keep_as_text(bench: Bench) -> None:
    bench.error = RuntimeError()
    payload = {"org_id": str(bench.org_id), "nul\0": "a\0b"}
    await bench.execution(retries=()).run(bench.left(1, payload=payload))
    [letter] = await bench.letters()
    assert letter["keys"] == ["nul", "org_id"]
    assert b"a\\u0000b" in letter["payload"]
