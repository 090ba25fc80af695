"""The feed of changes, when its connection gives it trouble."""

import asyncio
from types import SimpleNamespace

from redis.exceptions import TimeoutError as RedisTimeoutError

from ibex.auth import ChangeFeed
from tests.faults.waiting import until


class Subscription:
    """Hears nothing, and cannot be closed in time: what redis-py does with a server that hangs."""

    is_open = False

    async def subscribe(self, channel: str) -> None:
        self.is_open = True

    async def get_message(self, timeout: float) -> None:  # noqa: ASYNC109
        await asyncio.sleep(timeout)

    async def ping(self) -> None:
        return

    async def aclose(self) -> None:
        raise RedisTimeoutError("Timed out closing connection after 2.0")

    async def __aenter__(self) -> "Subscription":
        return self

    async def __aexit__(self, *arguments: object) -> None:
        await self.aclose()


async def test_it_stops_although_its_subscription_cannot_be_closed() -> None:
    subscription = Subscription()
    feed = ChangeFeed(SimpleNamespace(pubsub=lambda: subscription), lambda change: None)  # type: ignore[arg-type]
    feed.start()
    await until(lambda: subscription.is_open)
    async with asyncio.timeout(2.0):
        await feed.stop()
