"""Servers that a test may spoil."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ibex.embedded import PostgresServer, ValkeyServer
from tests.fixtures import Servers, install_pgvector


@pytest.fixture
def short_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose path leaves room for a socket's name."""
    return tmp_path_factory.mktemp("s")


def _quiet(sentence: str) -> None:
    return


@pytest.fixture
def data_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """A Postgres of the test's own; Valkey is not started."""
    directory: Path = tmp_path_factory.mktemp("own")
    servers = Servers(
        PostgresServer(directory / "postgres", report=_quiet),
        ValkeyServer(directory / "valkey", report=_quiet),
    )
    try:
        servers.postgres.launch()
        servers.postgres.wait_ready()
        install_pgvector(servers.postgres)
        yield servers
    finally:
        servers.postgres.stop()
