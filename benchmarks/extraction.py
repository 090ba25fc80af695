"""How many turns a second one job process remembers word for word, out of the queue."""

import asyncio
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from psycopg.rows import scalar_row

from ibex.app import Connections, JobParts
from ibex.context.learning import JOB, Lesson, Said
from ibex.embedded import PostgresServer, ValkeyServer
from ibex.ids import uuid7
from ibex.memory import Scope
from ibex.settings import load
from ibex.storage import Postgres, connect_single
from ibex.workers import JobQueue, work
from tests.faults.waiting import until
from tests.operator import KEYS, PEPPER, Operator

_AGENTS = 10
_USERS = 5
# Said in each turn: some fifty words, of which none is like the other's.
_QUESTION = "My order {number} of {number} blue chairs for the room {number} has not arrived since Monday."
_ANSWER = "I am sorry about order {number}. It left warehouse {number} and reaches you within {number} hours."


@dataclass(frozen=True, slots=True)
class Extracted:
    """One run; CPU is the job process's own, in milliseconds for each turn."""

    turns: int
    per_second: float
    cpu: float
    memories: int


async def extracted(
    postgres: PostgresServer, valkey: ValkeyServer, turns: int, model: Path | None
) -> Extracted:
    """Leave turns of 50 end users in the queue, and do them in this process."""
    async with AsyncExitStack() as running:
        operator = await running.enter_async_context(Operator(postgres.service_dsn, valkey.url))
        slug = "with-model" if model else "without-model"
        org_id = await operator.organization(slug)
        agents = [
            await operator.create_agent(org_id, f"A{number}", f"a{number}") for number in range(_AGENTS)
        ]
        redis = connect_single(valkey.url, timeout=5.0)
        running.push_async_callback(redis.aclose)
        queue = JobQueue(redis)
        lessons = [
            _lesson(_scope(org_id, agents[number % _AGENTS].id, number // _AGENTS % _USERS), number)
            for number in range(turns)
        ]
        jobs = {f"{JOB}:{org_id}:{each.turn_id}": {"org_id": org_id, "lesson": each} for each in lessons}
        assert await queue.put(JOB, jobs) == turns
        overrides: dict[str, Any] = {"embedder": {"kind": "none"}} if model is None else {"model_path": model}
        parts = JobParts(
            load({}, overrides=overrides), Connections(postgres.service_dsn, valkey.url, PEPPER, KEYS)
        )
        await parts.open(running)
        stop = asyncio.Event()
        began, cpu = time.perf_counter(), time.process_time()
        working = asyncio.create_task(
            work(
                valkey.url,
                (),
                parts.on_demand,
                ready=lambda: None,
                stop=stop,
                dead_letters=parts.dead_letters,
            )
        )

        async def is_done() -> bool:
            return (await queue.state()).waiting == 0

        await until(is_done, seconds=300)
        seconds, used = time.perf_counter() - began, time.process_time() - cpu
        stop.set()
        await working
        memories = await _memories(operator.postgres, org_id)
    return Extracted(turns, turns / seconds, used / turns * 1e3, memories)


def _scope(org_id: UUID, agent_id: UUID, user: int) -> Scope:
    return Scope(org_id, agent_id, f"user-{user}", f"session-{agent_id}-{user}")


def _lesson(scope: Scope, number: int) -> Lesson:
    return Lesson(
        scope=scope,
        turn_id=uuid7(),
        trace_id=f"{number:032x}",
        at=datetime.now(UTC) + timedelta(milliseconds=number),
        said=(
            Said("user", _QUESTION.format(number=number), is_quarantined=False),
            Said("assistant", _ANSWER.format(number=number), is_quarantined=False),
        ),
        question=f"{number:064x}",
        used=(),
        is_correction=False,
    )


async def _memories(postgres: Postgres, org_id: UUID) -> int:
    found: int | None = await postgres.fetch_one(org_id, "SELECT count(*) FROM ibex.memories", row=scalar_row)
    return found or 0
