"""Tells every process that a token, an agent or an organization has changed, within a second.

A message over Redis pub/sub may be missed, so the feed also knows whether it is live: it pings the server
on the subscribed connection, and each time it had to subscribe anew it reports that everything may have
changed. A cache that trusts its entries only while the feed is live can therefore never serve a dead token
for longer than the feed needs to notice.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal, get_args
from uuid import UUID

import orjson
from redis.asyncio import Redis
from redis.exceptions import RedisError

from ibex.tasks import BackgroundTask

logger = logging.getLogger(__name__)

CHANNEL = "ibex:auth:changes"
_PING_EVERY = 0.25
_LIVE_FOR = 0.8
_RETRY_EVERY = 0.25

Kind = Literal["token", "agent", "organization"]


@dataclass(frozen=True, slots=True)
class Change:
    """What changed. Nothing else travels: the receiver asks the database for the truth."""

    kind: Kind
    id: UUID


async def publish(redis: Redis, change: Change) -> int:
    """Announce a change after its transaction has committed. Raises `RedisError`, `OSError`, `TimeoutError`.

    Returns how many processes heard it: none when none runs, or all of them listen to another Redis. Of a
    cluster, only the listeners on the node that was asked are counted.
    """
    receivers: int = await redis.publish(CHANNEL, orjson.dumps({"kind": change.kind, "id": str(change.id)}))
    return receivers


class ChangeFeed:
    """Listens for changes and calls `on_change`; with None, anything may have changed."""

    def __init__(self, redis: Redis, on_change: Callable[[Change | None], None]) -> None:
        self._redis = redis
        self._on_change = on_change
        self._heard_at = float("-inf")
        self._is_cut_off = False
        self._task = BackgroundTask("auth-changes", self._run)

    @property
    def is_live(self) -> bool:
        """Whether a change published now would arrive."""
        return time.monotonic() - self._heard_at < _LIVE_FOR

    def start(self) -> None:
        self._task.start()

    async def stop(self) -> None:
        await self._task.stop()

    async def _run(self) -> None:
        while True:
            try:
                await self._listen()
            except (RedisError, OSError, TimeoutError) as error:
                self._tell(error)
            await asyncio.sleep(_RETRY_EVERY)

    def _tell(self, error: Exception) -> None:
        """Once per outage: whoever reads the log at night has enough to read."""
        if not self._is_cut_off:
            self._is_cut_off = True
            logger.warning(
                "the feed of changes is cut off (%s): caches are not trusted", type(error).__name__
            )

    async def _listen(self) -> None:
        subscription = self._redis.pubsub()
        try:
            await subscription.subscribe(CHANNEL)
            pinged_at = heard_at = time.monotonic()
            while time.monotonic() - heard_at < _LIVE_FOR:
                message = await subscription.get_message(timeout=_PING_EVERY)
                now = time.monotonic()
                if message is not None:
                    heard_at = now
                    self._receive(message["type"], message["data"])
                    self._heard_at = now
                if now - pinged_at >= _PING_EVERY:
                    await subscription.ping()
                    pinged_at = now
            raise TimeoutError
        finally:
            # What goes wrong here must not take the place of a cancellation: the task would go on for ever.
            with suppress(RedisError, OSError, TimeoutError):
                await subscription.aclose()  # type: ignore[no-untyped-call]

    def _receive(self, kind: str, data: object) -> None:
        if kind == "subscribe":
            if self._is_cut_off:
                self._is_cut_off = False
                logger.warning("the feed of changes is back")
            self._on_change(None)
        elif kind == "message" and isinstance(data, bytes):
            self._on_change(_parse(data))


def _parse(message: bytes) -> Change | None:
    """The change that a message tells of; None for what this version does not understand."""
    try:
        fields = orjson.loads(message)
        kind, change_id = fields["kind"], UUID(str(fields["id"]))
    except (ValueError, KeyError, TypeError):
        return None
    return Change(kind, change_id) if kind in get_args(Kind) else None
