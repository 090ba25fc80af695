"""Clocks that do not agree: when a token expires is for the database to say, and for nobody else."""

import time
from datetime import UTC, datetime, timedelta
from uuid import UUID

import psycopg
import pytest
import pytest_asyncio
from psycopg.rows import scalar_row

from ibex.errors import ErrorCode
from tests.auth.validators import checking
from tests.fixtures import Database
from tests.operator import Operator


@pytest_asyncio.fixture
async def org_id(operator: Operator) -> UUID:
    return await operator.organization()


def shift(database: Database, seconds: int) -> None:
    """Let the database's clock run ahead of ours, or behind, for whoever looks up a token."""
    with psycopg.connect(database.superuser_dsn) as connection:
        definition = connection.cursor(row_factory=scalar_row).execute(
            "SELECT pg_get_functiondef('ibex.find_principal'::regproc)"
        )
        source: str = definition.fetchone() or ""
        assert source.count("clock_timestamp()") == 1
        connection.execute(
            source.replace(
                "clock_timestamp()", f"(clock_timestamp() + interval '{seconds} seconds')"
            ).encode()
        )


async def expiring(operator: Operator, org_id: UUID, database: Database, seconds: float) -> str:
    """A token that expires in so many seconds, by the clock that both have before one is shifted."""
    issued = await operator.issue(org_id, expires_at=datetime.now(UTC) + timedelta(days=1))
    with psycopg.connect(database.superuser_dsn) as connection:
        connection.execute(
            "UPDATE ibex.tokens SET expires_at = clock_timestamp() + make_interval(secs => %s)", (seconds,)
        )
    return issued.text


@pytest.mark.parametrize(
    ("ahead", "expires_in", "expected"),
    [
        (60, 30, ErrorCode.TOKEN_EXPIRED),
        (60, 90, "helper"),
        (-60, -30, "helper"),
        (-60, -90, ErrorCode.TOKEN_EXPIRED),
    ],
)
async def test_expiry_is_judged_by_the_databases_clock(
    database: Database, operator: Operator, org_id: UUID, ahead: int, expires_in: int, expected: str
) -> None:
    text = await expiring(operator, org_id, database, expires_in)
    shift(database, ahead)
    async with checking(database) as checked:
        assert await checked.code(text) == expected
        assert await checked.code(text) == expected
        assert checked.statements == 1


@pytest.mark.parametrize("ahead", [60, -60])
async def test_an_entry_ends_when_the_database_says_that_its_token_does(
    database: Database, operator: Operator, org_id: UUID, ahead: int
) -> None:
    """Ten seconds from now on, whatever time it is there."""
    text = await expiring(operator, org_id, database, ahead + 10)
    shift(database, ahead)
    async with checking(database) as checked:
        assert await checked.code(text) == "helper"
        checked.clock.now += 9
        assert await checked.code(text) == "helper"
        assert checked.statements == 1
        checked.clock.now += 1
        await checked.code(text)
        assert checked.statements == 2


@pytest.mark.parametrize("skew", [60.0, -60.0])
async def test_the_clock_of_this_machine_does_not_matter(
    database: Database, operator: Operator, org_id: UUID, skew: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    living = await expiring(operator, org_id, database, 30)
    now, now_ns = time.time, time.time_ns
    monkeypatch.setattr(time, "time", lambda: now() + skew)
    monkeypatch.setattr(time, "time_ns", lambda: now_ns() + int(skew * 1e9))
    async with checking(database) as checked:
        assert await checked.code(living) == "helper"
        with psycopg.connect(database.superuser_dsn) as connection:
            connection.execute("UPDATE ibex.tokens SET expires_at = clock_timestamp()")
        checked.clock.now += 30
        assert await checked.code(living) == ErrorCode.TOKEN_EXPIRED
