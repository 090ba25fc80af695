"""Rows written after the answer: in batches, within bounds, and lost only when they are refused."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import chain

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ibex.storage import DatabaseUnavailableError
from ibex.storage.write_behind import WriteBehind
from tests.faults.waiting import until


@dataclass(slots=True)
class Store:
    """Keeps what is written; is away, hangs or refuses as a test says."""

    batches: list[list[int]] = field(default_factory=list)
    refused: frozenset[int] = frozenset()
    is_away: bool = False
    hangs: bool = False
    error: type[Exception] | None = None
    tries: int = 0

    async def write(self, rows: Sequence[int]) -> None:
        self.tries += 1
        await asyncio.sleep(0)
        if self.hangs:
            await asyncio.Event().wait()
        if self.is_away:
            raise DatabaseUnavailableError
        if self.error is not None:
            raise self.error
        if self.refused.intersection(rows):
            raise ValueError("refused")
        self.batches.append(list(rows))

    @property
    def rows(self) -> list[int]:
        return list(chain(*self.batches))


@dataclass(slots=True)
class Log:
    """A log over a store, and the count of what it lost."""

    store: Store
    rows: WriteBehind[int]
    dropped: list[int]


@asynccontextmanager
async def log(
    store: Store | None = None, capacity: int = 1_000, batch: int = 10, within: float = 5.0
) -> AsyncIterator[Log]:
    store, dropped = store or Store(), list[int]()
    rows: WriteBehind[int] = WriteBehind(
        store.write, dropped=dropped.append, capacity=capacity, batch=batch, interval=0.01
    )
    rows.start()
    try:
        yield Log(store, rows, dropped)
    finally:
        await rows.close(within=within)


async def test_rows_are_written_in_order_and_in_batches() -> None:
    async with log() as running:
        for row in range(25):
            running.rows.add(row)
        await until(lambda: len(running.store.rows) == 25)
    assert running.store.rows == list(range(25))
    assert [len(batch) for batch in running.store.batches] == [10, 10, 5]
    assert running.dropped == []


async def test_what_does_not_fit_is_dropped_and_counted() -> None:
    store = Store(is_away=True)
    async with log(store, capacity=5) as running:
        for row in range(8):
            running.rows.add(row)
        assert len(running.rows) == 5
        assert sum(running.dropped) == 3
        store.is_away = False
        await until(lambda: len(running.rows) == 0)
    assert store.rows == [0, 1, 2, 3, 4]


async def test_while_the_database_is_away_everything_is_kept_and_written_once_later() -> None:
    store = Store(is_away=True)
    async with log(store) as running:
        for row in range(25):
            running.rows.add(row)
        await until(lambda: store.tries >= 2)
        assert len(running.rows) == 25
        store.is_away = False
        await until(lambda: len(running.rows) == 0)
    assert store.rows == list(range(25))
    assert running.dropped == []


@pytest.mark.parametrize(
    "error", [psycopg.errors.InsufficientPrivilege, psycopg.errors.UndefinedColumn, RuntimeError]
)
async def test_an_error_that_is_not_of_a_row_loses_none(error: type[Exception]) -> None:
    store = Store(error=error)
    async with log(store) as running:
        for row in range(25):
            running.rows.add(row)
        await until(lambda: store.tries >= 2)
        assert (len(running.rows), running.dropped) == (25, [])
        store.error = None
        await until(lambda: len(running.rows) == 0)
    assert store.rows == list(range(25))
    assert running.dropped == []


async def test_a_store_that_is_no_database_has_errors_of_its_own_for_being_away(
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = Store(error=ConnectionResetError)
    rows: WriteBehind[int] = WriteBehind(
        store.write, dropped=list[int]().append, capacity=10, interval=0.01, away=(OSError,)
    )
    rows.start()
    rows.add(1)
    await until(lambda: store.tries >= 2)
    store.error = None
    await rows.close(within=5)
    assert store.rows == [1]
    assert caplog.text.count("kept for another try") == 1
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize("error", [psycopg.errors.CheckViolation, psycopg.DataError, TypeError])
async def test_a_row_that_would_be_refused_for_ever_is_given_up(error: type[Exception]) -> None:
    async with log(Store(error=error)) as running:
        running.rows.add(1)
        await until(lambda: running.dropped == [1])
    assert len(running.rows) == 0


async def test_one_refused_row_does_not_take_its_neighbours() -> None:
    async with log(Store(refused=frozenset({7}))) as running:
        for row in range(10):
            running.rows.add(row)
    assert running.store.rows == [0, 1, 2, 3, 4, 5, 6, 8, 9]
    assert running.dropped == [1]


async def test_after_a_refused_row_the_rest_goes_in_batches_again() -> None:
    async with log(Store(refused=frozenset({3}))) as running:
        for row in range(40):
            running.rows.add(row)
    assert [len(batch) for batch in running.store.batches[-3:]] == [10, 10, 10]


async def test_a_database_that_goes_away_while_single_rows_are_written_loses_none() -> None:
    store = Store(refused=frozenset({2}))

    async def flaky(rows: Sequence[int]) -> None:
        store.is_away = store.tries in (2, 4)
        await store.write(rows)

    dropped: list[int] = []
    rows: WriteBehind[int] = WriteBehind(flaky, dropped=dropped.append, capacity=100, batch=5, interval=0.01)
    rows.start()
    for row in range(5):
        rows.add(row)
    await until(lambda: len(rows) == 0)
    await rows.close(within=1)
    assert store.rows == [0, 1, 3, 4]
    assert dropped == [1]


async def test_closing_writes_what_is_left() -> None:
    async with log() as running:
        for row in range(25):
            running.rows.add(row)
    assert running.store.rows == list(range(25))


async def test_closing_while_the_database_hangs_is_bounded_and_counts_the_loss() -> None:
    store = Store(hangs=True)
    loop = asyncio.get_running_loop()
    async with log(store, within=0.2) as running:
        for row in range(3):
            running.rows.add(row)
        closed_at = loop.time()
    assert loop.time() - closed_at < 2
    assert running.dropped == [3]


async def test_closing_while_the_database_is_away_is_bounded_and_counts_the_loss() -> None:
    async with log(Store(is_away=True), within=0.2) as running:
        for row in range(3):
            running.rows.add(row)
    assert running.store.tries > 1
    assert running.dropped == [3]


async def test_closing_does_not_sit_out_the_pause_after_an_outage() -> None:
    """After a long outage the next try may be seconds away; a stop must not wait for it."""
    store = Store(is_away=True)
    async with log(store, within=1.0) as running:
        running.rows.add(1)
        await until(lambda: store.tries >= 4)
        store.is_away = False
    assert store.rows == [1]
    assert running.dropped == []


async def test_closing_with_nothing_to_write_is_immediate() -> None:
    async with log(within=0.5) as running:
        assert len(running.rows) == 0
    assert running.store.tries == 0


@settings(max_examples=50, deadline=None)
@given(
    refused=st.frozensets(st.integers(0, 29), max_size=5),
    outages=st.sets(st.integers(1, 20), max_size=6),
    batch=st.integers(1, 12),
)
def test_every_row_is_stored_once_or_counted_as_lost(
    refused: frozenset[int], outages: set[int], batch: int
) -> None:
    store = Store(refused=refused)

    async def flaky(rows: Sequence[int]) -> None:
        store.is_away = store.tries + 1 in outages
        await store.write(rows)

    dropped = asyncio.run(_write_all(flaky, batch))
    assert store.rows == [row for row in range(30) if row not in refused]
    assert dropped == len(refused)


async def _write_all(write: Callable[[Sequence[int]], Awaitable[None]], batch: int) -> int:
    dropped: list[int] = []
    rows: WriteBehind[int] = WriteBehind(
        write, dropped=dropped.append, capacity=100, batch=batch, interval=0.0
    )
    rows.start()
    for row in range(30):
        rows.add(row)
    await rows.close(within=10)
    return sum(dropped)
