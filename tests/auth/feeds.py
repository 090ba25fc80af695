"""Feeds of changes between the real servers, or in place of one of them nothing."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from ibex.auth import Change, ChangeFeed
from ibex.storage import Postgres, connect_single
from tests.faults.waiting import until
from tests.fixtures import Database

NOWHERE_REDIS = "redis://127.0.0.1:1"
NOWHERE_POSTGRES = "postgresql://127.0.0.1:1/nowhere"


@asynccontextmanager
async def feeding(
    database: Database,
    on_change: Callable[[Change | None], None],
    *,
    redis_url: str | None = None,
    postgres_dsn: str | None = None,
) -> AsyncIterator[ChangeFeed]:
    """A feed that runs, and is live unless it can reach neither server."""
    redis = connect_single(redis_url or database.redis_url, timeout=2.0)
    postgres = Postgres(postgres_dsn or database.service_dsn, connections=1, wait=1.0)
    feed = ChangeFeed(redis, postgres, on_change)
    await postgres.open()
    feed.start()
    try:
        yield feed
    finally:
        await feed.stop()
        await redis.aclose()
        await postgres.close()


async def until_heard(feed: ChangeFeed) -> None:
    """Until the feed is live."""
    await until(lambda: feed.is_live)
