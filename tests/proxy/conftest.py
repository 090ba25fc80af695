"""A patient service for one test, and one that stays up for a whole file."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
import pytest_asyncio
import redis
from psycopg import sql
from psycopg.conninfo import make_conninfo

from tests.fixtures import Database, Servers
from tests.operator import Operator
from tests.providers.stub import StubProvider
from tests.service import Service

UNLIMITED: dict[str, Any] = {
    "limits": {"token_rpm": 1_000_000, "agent_rpm": 1_000_000, "organization_rpm": 1_000_000}
}


@pytest_asyncio.fixture
async def service(
    database: Database, operator: Operator, stub_provider: StubProvider
) -> AsyncIterator[Service]:
    async with Service.start(
        database.service_dsn, database.redis_url, operator, stub_provider, **UNLIMITED
    ) as running:
        yield running


@dataclass(frozen=True, slots=True)
class Standing:
    """A service that serves every test of a file, the provider behind it, and its database."""

    service: Service
    stub: StubProvider
    operator: Operator
    database: Database


@pytest.fixture(scope="module")
def standing_database(servers: Servers, request: pytest.FixtureRequest) -> Iterator[Database]:
    name = request.module.__name__.rpartition(".")[2]
    admin = servers.postgres.superuser_dsn
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE migrated OWNER ibex_owner").format(sql.Identifier(name))
        )
    with redis.Redis.from_url(servers.valkey.url) as client:
        client.flushall()
    yield Database(
        service_dsn=make_conninfo(servers.postgres.service_dsn, dbname=name),
        owner_dsn=make_conninfo(servers.postgres.owner_dsn, dbname=name),
        superuser_dsn=make_conninfo(admin, dbname=name),
        redis_url=servers.valkey.url,
    )
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def standing(standing_database: Database, request: pytest.FixtureRequest) -> AsyncIterator[Standing]:
    """Started once for a file, whose tests run on the same loop; `SETTINGS` of the file are its settings."""
    settings = {**UNLIMITED, **getattr(request.module, "SETTINGS", {})}
    dsn, redis_url = standing_database.service_dsn, standing_database.redis_url
    async with (
        Operator(dsn, redis_url) as operator,
        StubProvider() as stub,
        Service.start(dsn, redis_url, operator, stub, **settings) as service,
    ):
        yield Standing(service, stub, operator, standing_database)
