"""Statements run as the service, for one organization, and a database that is away is named as such."""

import asyncio
import os
import signal
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import scalar_row, tuple_row

from ibex.ids import uuid7
from ibex.storage import DatabaseUnavailableError, Postgres
from ibex.storage.migrations import migrate
from tests.faults.line import Line
from tests.faults.waiting import until
from tests.fixtures import Database, Servers

SOCKET = ".s.PGSQL.5432"
_WHO = "SELECT current_user, session_user, current_setting('app.current_org_id', true)"


@asynccontextmanager
async def pool(dsn: str, connections: int = 1, wait: float = 5.0) -> AsyncIterator[Postgres]:
    postgres = Postgres(dsn, connections=connections, wait=wait)
    await postgres.open()
    try:
        yield postgres
    finally:
        await postgres.close()


@dataclass(frozen=True, slots=True)
class SingleRole:
    """A database with one role that migrates and serves."""

    name: str
    dsn: str


@contextmanager
def single_role(servers: Servers, name: str, attributes: str) -> Iterator[SingleRole]:
    admin = servers.postgres.superuser_dsn
    role, database = sql.Identifier(name), sql.Identifier(f"{name}_data")
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'single' " + attributes).format(role))
        connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(database, role))
    try:
        yield SingleRole(name, make_conninfo(admin, user=name, password="single", dbname=f"{name}_data"))
    finally:
        with psycopg.connect(admin, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(database))
            connection.execute(sql.SQL("REVOKE ibex_service FROM {} CASCADE").format(role))
            connection.execute(sql.SQL("DROP ROLE {}").format(role))


async def _who(postgres: Postgres, org_id: UUID | None) -> list[tuple[str, str, str]]:
    """Role, login and tenant: in a transaction, in a single statement, and on the connection afterwards."""
    async with postgres.transaction(org_id) as connection:
        inside = await (await connection.execute(_WHO)).fetchone()
    fetched = await postgres.fetch_one(org_id, _WHO, row=tuple_row)
    async with postgres._pool.connection() as connection:
        after = await (await connection.execute(_WHO)).fetchone()
    return [inside, fetched, after]  # type: ignore[list-item]


async def test_the_service_role_sees_the_organization_of_its_transaction(database: Database) -> None:
    org_id = uuid7()
    async with pool(database.service_dsn) as postgres:
        inside, fetched, after = await _who(postgres, org_id)
    assert inside == fetched == ("ibex_service", "ibex_service", str(org_id))
    assert after[2] in ("", None)


@pytest.mark.parametrize("attributes", ["NOSUPERUSER CREATEROLE", "SUPERUSER"])
async def test_one_role_for_everything_serves_with_the_rights_of_the_service(
    servers: Servers, database: Database, attributes: str
) -> None:
    name = f"single_{attributes.split()[0].lower()}"
    with single_role(servers, name, attributes) as single:
        with psycopg.connect(servers.postgres.superuser_dsn, autocommit=True) as connection:
            connection.execute(sql.SQL("GRANT ibex_service TO {}").format(sql.Identifier(name)))
        migrate(single.dsn)
        await _assert_serves_as_the_service(single)


async def test_the_role_that_creates_the_service_role_may_become_it(data_servers: Servers) -> None:
    """A database server that has never heard of IBEX: only CREATEROLE is given."""
    with psycopg.connect(data_servers.postgres.superuser_dsn, autocommit=True) as connection:
        connection.execute("REVOKE CONNECT ON DATABASE ibex FROM ibex_service")
        connection.execute("DROP ROLE ibex_service")
    with single_role(data_servers, "founder", "NOSUPERUSER CREATEROLE") as single:
        migrate(single.dsn)
        await _assert_serves_as_the_service(single)


async def _assert_serves_as_the_service(single: SingleRole) -> None:
    org_id = uuid7()
    async with pool(single.dsn) as postgres:
        inside, fetched, after = await _who(postgres, org_id)
        assert inside == fetched == ("ibex_service", single.name, str(org_id))
        assert after == (single.name, single.name, "")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await postgres.fetch_all(org_id, "TRUNCATE ibex.tokens", row=tuple_row)
        async with postgres.transaction(org_id) as connection:
            await connection.execute(
                "INSERT INTO ibex.organizations (id, slug, name) VALUES (%s, 'mine', 'Mine')", (org_id,)
            )
        assert await postgres.fetch_all(org_id, "SELECT slug FROM ibex.organizations", row=scalar_row) == [
            "mine"
        ]
        assert await postgres.fetch_all(uuid7(), "SELECT slug FROM ibex.organizations", row=scalar_row) == []
        assert await postgres.fetch_all(None, "SELECT slug FROM ibex.organizations", row=scalar_row) == []


async def test_a_failed_transaction_leaves_neither_rows_nor_its_tenant(database: Database) -> None:
    org_id = uuid7()
    async with pool(database.service_dsn) as postgres:
        with suppress(ZeroDivisionError):
            async with postgres.transaction(org_id) as connection:
                await connection.execute(
                    "INSERT INTO ibex.organizations (id, slug, name) VALUES (%s, 'mine', 'Mine')", (org_id,)
                )
                raise ZeroDivisionError
        assert await postgres.fetch_all(org_id, "SELECT 1 FROM ibex.organizations", row=scalar_row) == []
        assert (await _who(postgres, None))[0][2] == ""


async def test_a_statement_takes_one_round_trip(database: Database, short_path: Path) -> None:
    server = Path(conninfo_to_dict(database.service_dsn)["host"]) / SOCKET  # type: ignore[arg-type]
    async with (
        Line.to(server, short_path / SOCKET) as line,
        pool(make_conninfo(database.service_dsn, host=str(short_path))) as postgres,
    ):
        await postgres.ping()
        before = line.turns
        await postgres.ping()
        assert line.turns - before == 1


async def test_connections_that_died_while_idle_are_replaced(database: Database) -> None:
    async with pool(database.service_dsn, connections=4) as postgres:
        await asyncio.gather(*(_use_for_a_while(postgres) for _ in range(4)))
        _end_sessions(database)
        assert await postgres.fetch_all(None, "SELECT 1", row=scalar_row) == [1]
        async with postgres.transaction(None) as connection:
            await connection.execute("SELECT 1")


async def test_no_free_connection_is_an_unavailable_database(database: Database) -> None:
    async with pool(database.service_dsn, wait=0.1) as postgres, postgres.transaction(None):
        with pytest.raises(DatabaseUnavailableError):
            await postgres.ping()
        with pytest.raises(DatabaseUnavailableError):
            async with postgres.transaction(None):
                pytest.fail("there is one connection only")


async def test_a_flood_is_turned_away_instead_of_piling_up(database: Database) -> None:
    postgres = Postgres(database.service_dsn, connections=1, waiting=2)
    await postgres.open()
    try:
        async with postgres.transaction(None):
            waiting = [asyncio.create_task(postgres.ping()) for _ in range(2)]
            await asyncio.sleep(0)
            with pytest.raises(DatabaseUnavailableError):
                async with asyncio.timeout(1.0):
                    await postgres.ping()
        await asyncio.gather(*waiting)
    finally:
        await postgres.close()


async def test_a_server_that_was_demoted_to_reading_is_unavailable(database: Database) -> None:
    """As after a failover, until the address leads to the new primary."""
    with psycopg.connect(database.superuser_dsn, autocommit=True) as connection:
        connection.execute(
            sql.SQL("ALTER DATABASE {} SET default_transaction_read_only = on").format(
                sql.Identifier(connection.info.dbname)
            )
        )
    insert = "INSERT INTO ibex.organizations (id, slug, name) VALUES (%s, 'mine', 'Mine')"
    org_id = uuid7()
    async with pool(database.service_dsn) as postgres:
        with pytest.raises(DatabaseUnavailableError):
            await postgres.execute(org_id, insert, (org_id,))
        with pytest.raises(DatabaseUnavailableError):
            async with postgres.transaction(org_id) as connection:
                await connection.execute(insert, (org_id,))


async def test_a_connection_that_is_no_more_is_an_unavailable_database(database: Database) -> None:
    async with pool(database.service_dsn) as postgres:
        with pytest.raises(DatabaseUnavailableError):
            async with postgres.transaction(None):
                raise psycopg.InterfaceError("the connection is closed")


async def test_a_database_that_cannot_be_reached_is_unavailable_and_no_password_is_told() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        dsn = f"postgresql://someone:hunter2@127.0.0.1:{unused.getsockname()[1]}/ibex"
        async with pool(dsn, wait=0.2) as postgres:
            with pytest.raises(DatabaseUnavailableError) as caught:
                await postgres.ping()
    assert "hunter2" not in str(caught.value)


async def test_a_wrong_password_is_not_told(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    dsn = make_conninfo(database.service_dsn, password="hunter2")
    async with pool(dsn, wait=0.3) as postgres:
        with pytest.raises(DatabaseUnavailableError) as caught:
            await postgres.ping()
    assert "hunter2" not in str(caught.value) + repr(caught.value.__cause__) + caplog.text


async def test_a_cancelled_statement_ends_at_once_although_the_server_is_frozen(
    servers: Servers, database: Database
) -> None:
    async with pool(database.service_dsn) as postgres:
        await postgres.ping()
        backend = await _backend(postgres)
        os.kill(backend, signal.SIGSTOP)
        try:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await postgres.ping()
        finally:
            os.kill(backend, signal.SIGCONT)
        await postgres.ping()
        assert await _backend(postgres) != backend


async def test_a_server_that_does_not_answer_is_hung_up_on(database: Database) -> None:
    postgres = Postgres(database.service_dsn, connections=1, patience=0.2)
    await postgres.open()
    try:
        await postgres.ping()
        backend = await _backend(postgres)
        os.kill(backend, signal.SIGSTOP)
        try:
            with pytest.raises(DatabaseUnavailableError):
                await postgres.ping()
        finally:
            os.kill(backend, signal.SIGCONT)
        await until(lambda: _answers(postgres))
    finally:
        await postgres.close()


async def test_waiting_for_the_server_leaves_the_processor_to_others(database: Database) -> None:
    async with pool(database.service_dsn) as postgres:
        await postgres.ping()
        before = time.process_time()
        await postgres.fetch_all(None, "SELECT pg_sleep(1)", row=tuple_row)
        # A loop that asks again and again would take all of the second.
        assert time.process_time() - before < 0.5


async def _use_for_a_while(postgres: Postgres) -> None:
    await postgres.fetch_all(None, "SELECT pg_sleep(0.05)", row=tuple_row)


async def _answers(postgres: Postgres) -> bool:
    try:
        await postgres.ping()
    except DatabaseUnavailableError:
        return False
    return True


async def _backend(postgres: Postgres) -> int:
    pids = await postgres.fetch_all(None, "SELECT pg_backend_pid()", row=scalar_row)
    return int(pids[0])


def _end_sessions(database: Database) -> None:
    with psycopg.connect(database.superuser_dsn, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 2000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
