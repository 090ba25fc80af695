"""The server ends what a process has left undone, so that one that hangs keeps nobody waiting."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
import pytest
from psycopg.rows import scalar_row, tuple_row

from ibex.storage import DatabaseUnavailableError, Postgres
from tests.faults.waiting import until
from tests.fixtures import Database
from tests.operator import Operator

RENAME = "UPDATE ibex.organizations SET name = %s"


@asynccontextmanager
async def impatient(database: Database, patience: float = 0.2) -> AsyncIterator[Postgres]:
    postgres = Postgres(database.service_dsn, connections=1, patience=patience)
    await postgres.open()
    try:
        yield postgres
    finally:
        await postgres.close()


async def test_who_hangs_in_a_transaction_loses_it_and_its_locks(
    database: Database, operator: Operator
) -> None:
    org_id = await operator.organization()

    async def hang(postgres: Postgres, *, goes_on: bool) -> None:
        async with postgres.transaction(org_id) as connection:
            await connection.execute(RENAME, ("Hanging",))
            # Until somebody else has the row, this process does nothing at all.
            _rename_as_somebody_else(database)
            if goes_on:
                await connection.execute(RENAME, ("Too late",))

    async with impatient(database) as postgres:
        for goes_on in (True, False):
            with pytest.raises(DatabaseUnavailableError):
                await hang(postgres, goes_on=goes_on)
            names = await postgres.fetch_all(org_id, "SELECT name FROM ibex.organizations", row=scalar_row)
            assert names == ["Theirs"]


async def test_a_statement_that_nobody_waits_for_any_more_is_ended(database: Database) -> None:
    """The server itself would notice when it has the answer, in an hour."""
    async with impatient(database) as postgres:
        with pytest.raises(DatabaseUnavailableError):
            await postgres.fetch_all(None, "SELECT pg_sleep(3600)", row=tuple_row)
    await until(lambda: _sleeping(database) == 0)


async def test_a_statement_may_wait_for_a_lock_as_long_as_it_may_take(
    database: Database, operator: Operator
) -> None:
    org_id = await operator.organization()
    async with impatient(database) as postgres:
        with psycopg.connect(database.superuser_dsn) as other:
            other.execute(RENAME, ("Held",))
            with pytest.raises(DatabaseUnavailableError):
                await postgres.execute(org_id, RENAME, ("Waiting",))
            await until(lambda: _waiting_for_locks(database) == 0)
        assert await postgres.execute(org_id, RENAME, ("Free",)) == 1


async def test_a_lock_is_held_while_its_holder_works_elsewhere(
    database: Database, operator: Operator
) -> None:
    async with impatient(database) as postgres, postgres.locked(7):
        await operator.postgres.fetch_all(None, "SELECT pg_sleep(0.6)", row=tuple_row)
        assert await operator.postgres.fetch_all(
            None, "SELECT pg_try_advisory_xact_lock(7)", row=scalar_row
        ) == [False]


async def test_the_timeouts_end_with_the_transaction(database: Database) -> None:
    """A pooler may give the server's connection to somebody else next."""
    shown = "SELECT current_setting('statement_timeout'), current_setting('{}_session_timeout')"
    query = shown.format("idle_in_transaction")
    async with impatient(database, patience=1.5) as postgres:
        async with postgres.transaction(None) as connection:
            inside = await (await connection.execute(query.encode())).fetchall()
        fetched = await postgres.fetch_all(
            None, "SELECT current_setting('statement_timeout')", row=scalar_row
        )
        # The one connection of the pool, as it is between transactions.
        after = await (await connection.execute(query.encode())).fetchall()
    assert inside == [("1500ms", "1500ms")]
    assert fetched == ["1500ms"]
    assert after == [("0", "0")]


def _rename_as_somebody_else(database: Database) -> None:
    """Return once the row could be had, which is when the server has ended who had it."""
    with psycopg.connect(database.superuser_dsn) as connection:
        connection.execute("SET statement_timeout = '20s'")
        connection.execute(RENAME, ("Theirs",))


def _sleeping(database: Database) -> int:
    return _activity(database, "query LIKE '%pg_sleep%' AND state <> 'idle'")


def _waiting_for_locks(database: Database) -> int:
    return _activity(database, "wait_event_type = 'Lock'")


def _activity(database: Database, condition: str) -> int:
    with psycopg.connect(database.superuser_dsn) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
            f"AND pid <> pg_backend_pid() AND {condition}".encode()
        ).fetchone()
    assert row is not None
    return int(row[0])
