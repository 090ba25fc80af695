"""Many who write at once."""

import asyncio
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise

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
    *(
        "Amsterdam",
        "Athens",
        "Barcelona",
        "Basel",
        "Belgrade",
        "Bergen",
        "Berlin",
        "Bern",
        "Bologna",
        "Boston",
    ),
    *("Bordeaux", "Bratislava", "Bremen", "Bristol", "Brussels", "Bucharest", "Budapest", "Cairo", "Cardiff"),
    *(
        "Chicago",
        "Cologne",
        "Copenhagen",
        "Cork",
        "Dallas",
        "Delhi",
        "Denver",
        "Dresden",
        "Dublin",
        "Edinburgh",
    ),
    *("Florence", "Frankfurt", "Geneva", "Genoa", "Glasgow", "Hamburg", "Hanover", "Helsinki", "Istanbul"),
    *(
        "Kyiv",
        "Leipzig",
        "Lisbon",
        "Liverpool",
        "London",
        "Lyon",
        "Madrid",
        "Malmo",
        "Manchester",
        "Marseille",
    ),
    *(
        "Miami",
        "Milan",
        "Montreal",
        "Moscow",
        "Munich",
        "Nairobi",
        "Naples",
        "Nice",
        "Osaka",
        "Oslo",
        "Oxford",
    ),
    *("Palermo", "Paris", "Porto", "Prague", "Riga"),
]


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

    chain = sorted((await desk.memories()).values(), key=lambda row: row["observed_at"])
    assert [row["content"] for row in chain] == [f"I live in {city}." for city in _CITIES]
    assert [row["status"] for row in chain] == ["superseded"] * (_CLIENTS - 1) + ["active"]
    assert [row["valid_until"] for row in chain] == [row["observed_at"] for row in chain[1:]] + [None]
    assert {
        (row["kind"], row["memory_id"], row["other_id"]) for row in await desk.rows("memory_relations")
    } == {("supersedes", later["id"], earlier["id"]) for earlier, later in pairwise(chain)}
    assert await desk.rows("memory_conflicts") == []
    (partition,) = await desk.rows("memory_partitions")
    assert partition["live"] == 1
    assert len({row["revision"] for row in chain}) == _CLIENTS
    assert max(row["revision"] for row in chain) == partition["revision"]
