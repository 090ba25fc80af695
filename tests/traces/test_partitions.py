"""A trace is never refused for want of a partition, and whole weeks are dropped when they are too old."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import psycopg
import pytest
import pytest_asyncio

from ibex.traces.store import Expired, PostgresTraces, Selection
from tests.fixtures import Database
from tests.operator import Operator
from tests.traces.conftest import Shelf

NOW = datetime.now(UTC)
MONDAY = NOW.date() - timedelta(days=NOW.weekday())


@pytest_asyncio.fixture
async def shelf(operator: Operator) -> Shelf:
    org_id = await operator.organization()
    agent = await operator.agent(org_id)
    return Shelf(PostgresTraces(operator.postgres), org_id, agent.id, agent.id)


@pytest.fixture
def owner(database: Database) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database.superuser_dsn, autocommit=True) as connection:
        yield connection


def weeks(owner: psycopg.Connection) -> dict[str, int]:
    """Rows by partition."""
    names = owner.execute(
        "SELECT c.relname FROM pg_inherits JOIN pg_class AS c ON c.oid = inhrelid"
        " WHERE inhparent = 'ibex.traces'::regclass ORDER BY 1"
    ).fetchall()
    counted = {}
    for (name,) in names:
        [(rows,)] = owner.execute(f"SELECT count(*) FROM ibex.{name}".encode()).fetchall()
        counted[name] = rows
    return counted


def name_of(monday: date) -> str:
    return f"traces_{monday:%Y%m%d}"


def make_week(owner: psycopg.Connection, monday: date) -> None:
    """A partition that was made in time, some time ago."""
    owner.execute(
        f"CREATE TABLE ibex.{name_of(monday)} PARTITION OF ibex.traces"
        f" FOR VALUES FROM ('{monday} 00:00:00+00') TO ('{monday + timedelta(days=7)} 00:00:00+00')".encode()
    )


async def test_the_weeks_ahead_are_made_once(shelf: Shelf, owner: psycopg.Connection) -> None:
    await shelf.store.prepare()
    made = weeks(owner)
    await shelf.store.prepare()

    assert weeks(owner) == made
    assert [*made][:-1] == [name_of(MONDAY + timedelta(weeks=ahead)) for ahead in range(5)]


async def test_a_trace_without_a_partition_is_kept_and_moves_into_it_later(
    shelf: Shelf, owner: psycopg.Connection
) -> None:
    week = MONDAY + timedelta(weeks=3)
    put = shelf.trace(at=datetime(week.year, week.month, week.day, tzinfo=UTC))
    await shelf.put(put)
    assert weeks(owner)["traces_default"] == 1

    await shelf.store.prepare()
    await shelf.put(put)

    assert (weeks(owner)["traces_default"], weeks(owner)[name_of(week)]) == (0, 1)
    assert await shelf.store.page(shelf.org_id, Selection(), None, 10) == [put]


async def test_weeks_go_as_a_whole_once_their_last_day_is_too_old(
    shelf: Shelf, owner: psycopg.Connection
) -> None:
    old, younger = MONDAY - timedelta(weeks=6), MONDAY - timedelta(weeks=2)
    for week in (old, younger):
        make_week(owner, week)
    kept = [shelf.trace(at=NOW), shelf.trace(at=NOW - timedelta(days=NOW.weekday() + 8))]
    await shelf.put(*kept, shelf.trace(at=NOW - timedelta(days=NOW.weekday() + 40)))
    stray = shelf.trace(at=NOW - timedelta(days=400))
    await shelf.put(stray)
    before = weeks(owner)
    owner.execute("ANALYZE ibex.traces")

    foreseen = await shelf.store.expire(21, dry_run=True)
    assert weeks(owner) == before
    dropped = await shelf.store.expire(21, dry_run=False)

    assert foreseen == dropped == [Expired(old, 1), Expired(None, 1)]
    assert await shelf.store.expire(21, dry_run=False) == []
    assert await shelf.store.page(shelf.org_id, Selection(), None, 10) == kept


async def test_nobody_can_have_everything_dropped(shelf: Shelf) -> None:
    await shelf.put(shelf.trace(at=NOW))

    assert await shelf.store.expire(-1, dry_run=False) == []


async def test_a_trace_of_an_agent_that_is_gone_is_none(shelf: Shelf) -> None:
    await shelf.put(shelf.trace(), shelf.trace(agent_id=shelf.org_id))

    assert len(await shelf.store.page(shelf.org_id, Selection(), None, 10)) == 1


def test_no_trace_changes(shelf: Shelf, owner: psycopg.Connection) -> None:
    for statement in (
        "UPDATE ibex.traces SET status = 200",
        "DELETE FROM ibex.traces",
        "TRUNCATE ibex.traces",
    ):
        with pytest.raises(psycopg.errors.RestrictViolation):
            owner.execute(statement.encode())
