"""Fixtures over the real Postgres and Valkey, started once per test process."""

import itertools
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
import pytest_asyncio
from psycopg import sql
from psycopg.conninfo import make_conninfo

from ibex.embedded import PostgresServer, ValkeyServer
from ibex.storage.migrations import migrate
from tests.operator import Operator
from tests.providers.stub import StubProvider
from tests.service import Service

_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Servers:
    """The bundled servers, for tests that stop or freeze them too."""

    postgres: PostgresServer
    valkey: ValkeyServer


@dataclass(frozen=True, slots=True)
class Database:
    """A migrated, empty database and an empty Redis."""

    service_dsn: str
    owner_dsn: str
    superuser_dsn: str
    redis_url: str


def _quiet(sentence: str) -> None:
    return


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """Postgres and Valkey in a data directory of this test process."""
    directory: Path = tmp_path_factory.mktemp("data")
    running = Servers(
        PostgresServer(directory / "postgres", report=_quiet),
        ValkeyServer(directory / "valkey", report=_quiet),
    )
    try:
        running.postgres.launch()
        running.valkey.launch()
        running.postgres.wait_ready()
        running.valkey.wait_ready()
        _keep_off_the_disk(running.postgres)
        _make_template(running.postgres)
        yield running
    finally:
        running.valkey.stop()
        running.postgres.stop()


@pytest.fixture
def database(servers: Servers) -> Iterator[Database]:
    """A database for one test, copied from a migrated one, and an emptied Redis."""
    import redis

    name = f"test_{next(_numbers)}"
    admin = servers.postgres.superuser_dsn
    with psycopg.connect(admin, autocommit=True) as connection:
        # Off the disk, copied files take half the time of pages that go through the log.
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE migrated OWNER ibex_owner STRATEGY FILE_COPY").format(
                sql.Identifier(name)
            )
        )
    client = redis.Redis.from_url(servers.valkey.url)
    client.flushall()
    client.close()
    yield Database(
        service_dsn=make_conninfo(servers.postgres.service_dsn, dbname=name),
        owner_dsn=make_conninfo(servers.postgres.owner_dsn, dbname=name),
        superuser_dsn=make_conninfo(admin, dbname=name),
        redis_url=servers.valkey.url,
    )
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest_asyncio.fixture
async def operator(database: Database) -> AsyncIterator[Operator]:
    """Somebody who creates organizations, agents and tokens."""
    async with Operator(database.service_dsn, database.redis_url) as someone:
        yield someone


@pytest_asyncio.fixture
async def service(
    database: Database, operator: Operator, stub_provider: StubProvider, tmp_path: Path
) -> AsyncIterator[Service]:
    """A service in front of the stub provider, on this loop, with an organization, an agent and a token."""
    async with Service.start(database.service_dsn, database.redis_url, operator, stub_provider) as running:
        yield running


def _keep_off_the_disk(postgres: PostgresServer) -> None:
    """Nothing here is to survive the machine, and two thirds of making a database is waiting for the disk."""
    with psycopg.connect(postgres.superuser_dsn, autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET fsync = off")
        connection.execute("ALTER SYSTEM SET full_page_writes = off")
        connection.execute("SELECT pg_reload_conf()")


def _make_template(postgres: PostgresServer) -> None:
    """Migrate once; copying a database takes a fraction of the time."""
    install_pgvector(postgres)
    with psycopg.connect(postgres.superuser_dsn, autocommit=True) as connection:
        connection.execute("CREATE DATABASE migrated OWNER ibex_owner")
        connection.execute("GRANT CONNECT ON DATABASE migrated TO ibex_service")
    migrate(make_conninfo(postgres.owner_dsn, dbname="migrated"))


def install_pgvector(postgres: PostgresServer) -> None:
    """In every database that is made from now on."""
    template = make_conninfo(postgres.superuser_dsn, dbname="template1")
    with psycopg.connect(template, autocommit=True) as connection:
        connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
