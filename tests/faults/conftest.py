"""Servers that these tests may stop, freeze and kill."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest
import pytest_asyncio
from psycopg.conninfo import make_conninfo

from ibex.embedded import PostgresServer, ValkeyServer
from ibex.storage.migrations import migrate
from tests.faults.calls import known
from tests.faults.waiting import until
from tests.fixtures import Database, Servers, install_pgvector
from tests.operator import Operator
from tests.providers.stub import StubProvider
from tests.service import Service

Server = PostgresServer | ValkeyServer

# Short, so that what hangs is soon given up; long enough for what is well on a busy machine.
DEADLINES: dict[str, Any] = {"auth_timeout_seconds": 0.25, "redis_timeout_seconds": 0.1}


def _quiet(sentence: str) -> None:
    return


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """Takes the place of the servers that all other tests share."""
    directory: Path = tmp_path_factory.mktemp("faulty")
    running = Servers(
        PostgresServer(directory / "postgres", report=_quiet),
        ValkeyServer(directory / "valkey", report=_quiet),
    )
    try:
        for server in (running.postgres, running.valkey):
            server.launch()
        for server in (running.postgres, running.valkey):
            server.wait_ready()
        install_pgvector(running.postgres)
        with psycopg.connect(running.postgres.superuser_dsn, autocommit=True) as connection:
            connection.execute("CREATE DATABASE migrated OWNER ibex_owner")
        migrate(make_conninfo(running.postgres.owner_dsn, dbname="migrated"))
        yield running
    finally:
        running.valkey.stop()
        running.postgres.stop()


class Fault:
    """What can happen to one server, and how it is well again."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._frozen: list[int] = []

    async def refuse(self) -> None:
        """Nobody listens any more."""
        await asyncio.to_thread(self._server.stop)

    async def hang(self) -> None:
        """The server and all its processes stand still: connections are accepted, nothing is answered."""
        pid = self._pid
        os.kill(pid, signal.SIGSTOP)
        self._frozen = [pid, *_children_of(pid)]
        for child in self._frozen[1:]:
            os.kill(child, signal.SIGSTOP)

    async def die(self) -> None:
        """`kill -9`."""
        os.kill(self._pid, signal.SIGKILL)
        await until(lambda: self._server.poll() is not None)

    async def heal(self) -> None:
        """Does nothing to a server that is well."""
        for pid in self._frozen:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        self._frozen = []
        if self._server.poll() is not None:
            # On this thread: a server ends with the thread that launched it.
            self._server.launch()
            await asyncio.to_thread(self._server.wait_ready)

    @property
    def _pid(self) -> int:
        assert self._server.pid is not None
        return self._server.pid


def _children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()]


@pytest_asyncio.fixture
async def service(
    database: Database, operator: Operator, stub_provider: StubProvider
) -> AsyncIterator[Service]:
    async with Service.start(
        database.service_dsn, database.redis_url, operator, stub_provider, **DEADLINES
    ) as running:
        yield running


@pytest_asyncio.fixture
async def listening_service(service: Service, operator: Operator) -> Service:
    await known(service, operator)
    return service


@pytest_asyncio.fixture
async def postgres_fault(servers: Servers, listening_service: Service) -> AsyncIterator[Fault]:
    """Asked for after the service, and so healed before the service stops."""
    fault = Fault(servers.postgres)
    yield fault
    await fault.heal()


@pytest_asyncio.fixture
async def redis_fault(servers: Servers, listening_service: Service) -> AsyncIterator[Fault]:
    fault = Fault(servers.valkey)
    yield fault
    await fault.heal()
