"""A server for the tests of one process, and a migrated database for one test."""

import itertools
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from ibex.storage import ClickHouse
from ibex.storage.clickhouse_migrations import migrate_clickhouse

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def clickhouse_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server without a database. In a process of its own, because an engine takes one."""
    directory = tmp_path_factory.mktemp("clickhouse")
    bridge = subprocess.Popen(
        [sys.executable, "-m", "tests.clickhouse.bridge", str(directory)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert bridge.stdin is not None
    assert bridge.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(bridge.stdout.readline())}"
    finally:
        bridge.stdin.close()
        bridge.wait(10)
        bridge.stdout.close()


@pytest.fixture
def clickhouse_url(clickhouse_server: str) -> str:
    """The address of a database that is not there yet."""
    return f"{clickhouse_server}/test_{next(_numbers)}"


@pytest_asyncio.fixture
async def clickhouse(clickhouse_url: str) -> AsyncIterator[ClickHouse]:
    """A migrated, empty database."""
    client = ClickHouse(clickhouse_url, timeout=30.0)
    await migrate_clickhouse(client)
    yield client
    await client.close()
