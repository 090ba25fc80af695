"""Everything that learns, over the real stores, and what was learned."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Self
from uuid import UUID

import orjson
from psycopg.rows import dict_row
from redis.asyncio import Redis

from ibex.context.learning import (
    FinishedTurn,
    JobSink,
    LastTurns,
    Learning,
    LearningChoices,
    PendingTurns,
    Told,
    TurnCapture,
)
from ibex.context.learning.turn import Lesson
from ibex.ids import uuid7
from ibex.memory import InferredFeedback, MemoryWriter, Scope, Tokenizer
from ibex.memory.repository.partitions import PartitionKey
from ibex.memory.writing.store import Store
from ibex.memory.writing.vectors import Vectors
from ibex.memory.writing.written import Written
from tests.faults.waiting import until
from tests.fixtures import Database
from tests.operator import Operator


class Jobs:
    """A queue that keeps what is left in it, as it would be read from Redis."""

    def __init__(self) -> None:
        self.left: dict[str, dict[str, Any]] = {}
        self.room = 1_000
        self.error: Exception | None = None
        self.tries = 0

    async def put(self, name: str, jobs: Any) -> int:
        self.tries += 1
        if self.error is not None:
            raise self.error
        taken = list(jobs.items())[: self.room]
        self.left.update(taken)
        return len(taken)

    @property
    def lessons(self) -> list[Lesson]:
        return [each["lesson"] for each in self.left.values()]


@dataclass
class School:
    """One agent of one organization, a process that serves, and one that does its jobs."""

    operator: Operator
    org_id: UUID
    agent_id: UUID
    redis: Redis
    jobs: Jobs
    pending: PendingTurns
    last_turns: LastTurns
    capture: TurnCapture
    dropped: list[int]
    choices: LearningChoices
    learning: Learning

    @classmethod
    @asynccontextmanager
    async def open(
        cls, database: Database, operator: Operator, sink: JobSink | None = None
    ) -> AsyncIterator[Self]:
        org_id = await operator.organization()
        agent_id = (await operator.agent(org_id)).id
        postgres = operator.postgres
        redis = Redis.from_url(database.redis_url)
        vectors = Vectors(postgres, None)
        writer = MemoryWriter(postgres, vectors, Store(postgres, vectors, Tokenizer()), _told)
        jobs, dropped = Jobs(), list[int]()
        pending, last_turns = PendingTurns(redis, within=5.0), LastTurns(redis)
        choices = LearningChoices(postgres, cache_seconds=30.0, timeout=10.0, feed_is_live=lambda: True)
        learning = Learning(choices, pending, sink or jobs, dropped=dropped.append)
        learning.start()
        try:
            yield cls(
                operator,
                org_id,
                agent_id,
                redis,
                jobs,
                pending,
                last_turns,
                TurnCapture(writer, InferredFeedback(postgres, _changed), pending, last_turns, postgres),
                dropped,
                choices,
                learning,
            )
        finally:
            await learning.close(within=5.0)
            await redis.aclose()

    def scope(self, user_id: str | None = "ada", session_id: str = "first") -> Scope:
        return Scope(self.org_id, self.agent_id, user_id, session_id)

    def turn(
        self,
        question: str,
        answer: str = "",
        *,
        scope: Scope | None = None,
        told: Sequence[Told] = (),
    ) -> FinishedTurn:
        turn_id = uuid7()
        return FinishedTurn(
            scope=scope or self.scope(),
            turn_id=turn_id,
            trace_id=turn_id.hex,
            at=datetime.now(UTC),
            question=question,
            read_answer=lambda: answer,
            answer_bytes=len(answer),
            told=told,
        )

    async def learn(self, turn: FinishedTurn, *, times: int = 1) -> None:
        """Hand a turn over, and do its job, more than once if need be."""
        before = set(self.jobs.left)
        self.learning.finished(turn)
        await self.settled()
        for job_id in self.jobs.left.keys() - before:
            for _ in range(times):
                await self.capture.run(as_read(self.jobs.left[job_id]))

    def lesson(self, payload: dict[str, Any], turn_id: UUID) -> Lesson:
        """What a turn with another id would teach in the same session."""
        lesson: Lesson = payload["lesson"]
        return replace(lesson, turn_id=turn_id)

    async def settled(self) -> None:
        """Until all that was handed over is in the queue."""
        await until(lambda: len(self.learning) == 0)

    async def memories(self) -> list[dict[str, Any]]:
        """In the order in which they were said."""
        return await self.rows("memories ORDER BY observed_at, id")

    async def contents(self) -> list[str]:
        return [row["content"] for row in await self.memories()]

    async def rows(self, table: str) -> list[dict[str, Any]]:
        return await self.operator.postgres.fetch_all(
            self.org_id, f"SELECT * FROM ibex.{table}", row=dict_row
        )


def as_read(payload: dict[str, Any]) -> Any:
    return orjson.loads(orjson.dumps(payload))


async def _told(key: PartitionKey, written: Sequence[Written]) -> None:
    return


async def _changed(key: PartitionKey) -> None:
    return
