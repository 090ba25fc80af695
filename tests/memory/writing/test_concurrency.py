"""Many who write at once."""

import asyncio
import json
import random
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import combinations, pairwise
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio

from ibex.errors import ErrorCode, IbexError
from ibex.memory.embedding import Embedder
from ibex.memory.writing.written import Written
from ibex.storage import Postgres
from tests.fixtures import Database
from tests.memory.writing.desk import BagOfWords, Desk
from tests.operator import Operator

_CLIENTS = 64
_FIRST = datetime(2026, 1, 1, tzinfo=UTC)
_CITIES = [
    "Amsterdam", "Athens", "Barcelona", "Basel", "Belgrade", "Bergen", "Berlin", "Bern",
    "Bologna", "Boston", "Bordeaux", "Bratislava", "Bremen", "Bristol", "Brussels", "Bucharest",
    "Budapest", "Cairo", "Cardiff", "Chicago", "Cologne", "Copenhagen", "Cork", "Dallas",
    "Delhi", "Denver", "Dresden", "Dublin", "Edinburgh", "Florence", "Frankfurt", "Geneva",
    "Genoa", "Glasgow", "Hamburg", "Hanover", "Helsinki", "Istanbul", "Kyiv", "Leipzig",
    "Lisbon", "Liverpool", "London", "Lyon", "Madrid", "Malmo", "Manchester", "Marseille",
    "Miami", "Milan", "Montreal", "Moscow", "Munich", "Nairobi", "Naples", "Nice",
    "Osaka", "Oslo", "Oxford", "Palermo", "Paris", "Porto", "Prague", "Riga",
]  # fmt: skip


@pytest_asyncio.fixture
async def postgres(database: Database) -> AsyncIterator[Postgres]:
    """As many connections as a service has."""
    pool = Postgres(database.service_dsn, connections=10, wait=60)
    await pool.open()
    yield pool
    await pool.close()


@pytest.mark.parametrize("embedder", [None, BagOfWords()], ids=["without a model", "with a model"])
async def test_clients_that_write_the_same_text_leave_one_live_memory(
    operator: Operator, postgres: Postgres, embedder: Embedder | None
) -> None:
    desk = await Desk.of(operator, embedder, postgres)

    answers = await asyncio.gather(
        *(desk.write("I like  tea" if number % 2 else "i LIKE tea ") for number in range(_CLIENTS)),
        return_exceptions=True,
    )

    (written,) = (each for each in answers if isinstance(each, Written))
    refused = [each for each in answers if isinstance(each, IbexError)]
    assert [(each.code, each.detail) for each in refused] == [
        (ErrorCode.DUPLICATE_CONTENT, str(written.memory.id))
    ] * (_CLIENTS - 1)
    assert list(await desk.memories()) == [written.memory.id]
    (partition,) = await desk.rows("memory_partitions")
    assert (partition["revision"], partition["live"]) == (1, 1)


@pytest.mark.parametrize("embedder", [None, BagOfWords()], ids=["without a model", "with a model"])
async def test_clients_that_contradict_each_other_leave_a_chain(
    operator: Operator, postgres: Postgres, embedder: Embedder | None
) -> None:
    desk = await Desk.of(operator, embedder, postgres)
    order = list(range(_CLIENTS))
    random.Random(7).shuffle(order)

    await asyncio.gather(
        *(
            desk.write(f"I live in {_CITIES[number]}.", observed_at=_FIRST + timedelta(days=number))
            for number in order
        )
    )

    memories = await desk.memories()
    await assert_chain(desk, [row["id"] for row in sorted(memories.values(), key=_begins)])
    assert [row["content"] for row in sorted(memories.values(), key=_begins)] == [
        f"I live in {city}." for city in _CITIES
    ]


async def test_processes_that_write_the_same_text_leave_one_live_memory(
    operator: Operator, database: Database
) -> None:
    desk = await Desk.of(operator)

    counts = await _in_processes(desk, database, [[("I like tea", None)] * 16] * 4)

    assert counts == {"created": 1, "DUPLICATE_CONTENT": _CLIENTS - 1}
    assert [row["status"] for row in (await desk.memories()).values()] == ["active"]


async def test_processes_that_contradict_each_other_leave_a_chain(
    operator: Operator, database: Database
) -> None:
    desk = await Desk.of(operator)
    facts = [
        (f"I live in {city}.", (_FIRST + timedelta(days=number)).isoformat())
        for number, city in enumerate(_CITIES)
    ]
    random.Random(7).shuffle(facts)

    counts = await _in_processes(desk, database, [facts[start::4] for start in range(4)])

    assert counts == {"created": _CLIENTS}
    memories = await desk.memories()
    await assert_chain(desk, [row["id"] for row in sorted(memories.values(), key=_begins)])


async def test_corrections_and_deletions_in_between_leave_a_chain(
    operator: Operator, postgres: Postgres
) -> None:
    desk = await Desk.of(operator, None, postgres)

    async def client(number: int) -> None:
        written = await _lives(desk, number)
        memory_id = written.memory.id
        if number % 4 == 1:
            await _insisting(lambda: desk.patch(written, content=f"I live in New {_CITIES[number]}."))
        elif number % 4 == 2:
            await _insisting(lambda: desk.states.delete(desk.actor, memory_id))
            await _insisting(lambda: desk.states.restore(desk.actor, memory_id))
        elif number % 4 == 3:
            with suppress(IbexError):
                await desk.states.archive(desk.actor, memory_id)
                await _insisting(lambda: desk.states.unarchive(desk.actor, memory_id))

    await asyncio.gather(*(client(number) for number in _shuffled()))

    memories = await desk.memories()
    await assert_chain(desk, [row["id"] for row in sorted(memories.values(), key=_begins)])


async def test_reverts_in_between_leave_no_fork_and_no_end_without_a_successor(
    operator: Operator, postgres: Postgres
) -> None:
    desk = await Desk.of(operator, None, postgres)

    async def client(number: int) -> None:
        written = await _lives(desk, number)
        if number % 3 == 1:
            await _insisting(lambda: desk.correction.revert(desk.actor, written.memory.id, 1))
        elif number % 3 == 2:
            await _insisting(lambda: desk.states.delete(desk.actor, written.memory.id))

    await asyncio.gather(*(client(number) for number in _shuffled()))

    memories = await desk.memories()
    relations = [(row["memory_id"], row["other_id"]) for row in await desk.rows("memory_relations")]
    successors = {old: new for new, old in relations}
    assert len(successors) == len(relations)
    for row in memories.values():
        if row["status"] == "superseded":
            assert row["valid_until"] == memories[successors[row["id"]]]["observed_at"]
        elif row["status"] == "active":
            assert row["id"] not in successors
    live = [row for row in memories.values() if row["status"] == "active"]
    # Whatever two of them hold at one time: somebody has been asked which it is.
    asked = {frozenset((row["memory_id"], row["other_id"])) for row in await desk.rows("memory_conflicts")}
    for one, other in combinations(live, 2):
        assert frozenset((one["id"], other["id"])) in asked
    await _assert_counted(desk)


async def assert_chain(desk: Desk, ids: Sequence[UUID]) -> None:
    """These, in this order, each hold until the next begins: in rows, relations and history."""
    memories = await desk.memories()
    assert set(memories) == set(ids)
    chain = [memories[each] for each in ids]
    assert [row["status"] for row in chain] == ["superseded"] * (len(chain) - 1) + ["active"]
    assert [row["valid_until"] for row in chain] == [row["observed_at"] for row in chain[1:]] + [None]
    assert {
        (row["kind"], row["memory_id"], row["other_id"]) for row in await desk.rows("memory_relations")
    } == {("supersedes", later["id"], earlier["id"]) for earlier, later in pairwise(chain)}
    assert await desk.rows("memory_conflicts") == []
    await _assert_counted(desk)


async def _assert_counted(desk: Desk) -> None:
    """The partition counts what is live and every change, and each history ends with what is stored."""
    memories = await desk.memories()
    (partition,) = await desk.rows("memory_partitions")
    assert partition["live"] == sum(row["status"] == "active" for row in memories.values())
    assert len({row["revision"] for row in memories.values()}) == len(memories)
    assert max(row["revision"] for row in memories.values()) == partition["revision"]
    versions: dict[UUID, list[dict[str, Any]]] = {}
    for row in sorted(await desk.rows("memory_versions"), key=lambda row: row["version"]):
        versions.setdefault(row["memory_id"], []).append(row)
    for memory_id, row in memories.items():
        history = versions[memory_id]
        assert [each["version"] for each in history] == list(range(1, row["version"] + 1))
        for column in ("content", "status", "valid_from", "valid_until"):
            assert history[-1][column] == row[column]


async def _lives(desk: Desk, number: int) -> Written:
    return await desk.write(f"I live in {_CITIES[number]}.", observed_at=_FIRST + timedelta(days=number))


async def _insisting(change: Callable[[], Awaitable[object]]) -> None:
    """Again, when others were faster all the time."""
    for _ in range(20):
        try:
            await change()
        except IbexError as error:
            if error.code is not ErrorCode.CONFLICT:
                raise
        else:
            return
    raise AssertionError("others were faster twenty times")


def _shuffled() -> list[int]:
    order = list(range(_CLIENTS))
    random.Random(11).shuffle(order)
    return order


def _begins(row: dict[str, Any]) -> datetime:
    begins: datetime = row["observed_at"]
    return begins


async def _in_processes(
    desk: Desk, database: Database, memories: Sequence[Sequence[tuple[str, str | None]]]
) -> Counter[str]:
    """What comes of each share of the memories, written by a process of its own."""
    whose = {"org_id": str(desk.scope.org_id), "agent_id": str(desk.scope.agent_id)}
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.memory.writing.client",
            json.dumps({"dsn": database.service_dsn, **whose, "memories": share}),
            stdout=asyncio.subprocess.PIPE,
        )
        for share in memories
    ]
    counts: Counter[str] = Counter()
    for process in processes:
        output, _ = await process.communicate()
        assert process.returncode == 0
        counts.update(json.loads(output))
    return counts
