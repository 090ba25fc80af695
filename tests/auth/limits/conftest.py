"""Redis for limiters, straight and over a line that a test can cut."""

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import pytest_asyncio

from ibex.storage import Redis, connect
from tests.faults.line import Line
from tests.fixtures import Database


@pytest_asyncio.fixture
async def redis(database: Database) -> AsyncIterator[Redis]:
    client = connect(database.redis_url, timeout=2.0)
    yield client
    await client.aclose()


@pytest_asyncio.fixture
async def line(database: Database, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Line]:
    """A line to Valkey that listens beside it."""
    server = Path(unquote(urlsplit(database.redis_url).path))
    async with Line.to(server, tmp_path_factory.mktemp("s") / "v.sock") as line:
        yield line


@pytest_asyncio.fixture
async def distant_redis(database: Database, line: Line) -> AsyncIterator[Redis]:
    """Redis at the other end of the line."""
    parts = urlsplit(database.redis_url)
    address = f"{parts.netloc.rpartition('@')[0]}@{line.address}"
    client = connect(f"unix://{address}?{parts.query}", timeout=2.0)
    yield client
    await client.aclose()
