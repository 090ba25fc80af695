"""The quick way to hear of changes: messages over Redis pub/sub, which may be missed."""

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from uuid import UUID

import orjson
from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.exceptions import RedisError

from ibex.auth.changes.change import Change, change_of
from ibex.auth.changes.log import CHANNEL
from ibex.tasks import BackgroundTask

logger = logging.getLogger(__name__)

_PING_EVERY = 0.25
_RETRY_EVERY = 0.25
# A connection that does not answer for so long is given up (seconds).
_SILENCE = 0.8


class Listener:
    """Calls `on_change` for every message; with None for one that this version does not understand.

    From `subscribed_at` on each message that was sent by `heard_at` has been told. `heard_at` is when the
    last ping that was answered had been sent: the server puts its answer behind the messages.
    """

    def __init__(self, redis: Redis, on_change: Callable[[Change | None], None]) -> None:
        self._redis = redis
        self._on_change = on_change
        self._is_cut_off = False
        self._task = BackgroundTask("changes-listener", self._keep_listening)
        self.subscribed_at = float("inf")
        self.heard_at = float("-inf")

    def start(self) -> None:
        self._task.start()

    async def stop(self) -> None:
        await self._task.stop()

    async def _keep_listening(self) -> None:
        while True:
            try:
                await self._listen()
            except (RedisError, OSError, TimeoutError) as error:
                self._tell(error)
            await asyncio.sleep(_RETRY_EVERY)

    async def _listen(self) -> None:
        subscription = self._redis.pubsub()
        self.subscribed_at = float("inf")
        try:
            await subscription.subscribe(CHANNEL)
            pinged_at = answered_at = time.monotonic()
            while time.monotonic() - answered_at < _SILENCE:
                message = await subscription.get_message(timeout=_PING_EVERY)
                if message is not None:
                    answered_at = max(answered_at, self._receive(message["type"], message["data"]))
                if time.monotonic() - pinged_at >= _PING_EVERY:
                    pinged_at = time.monotonic()
                    await subscription.ping(repr(pinged_at))
            raise TimeoutError
        finally:
            self.subscribed_at = float("inf")
            await _close(subscription)

    def _receive(self, kind: str, data: object) -> float:
        """The time up to which everything has been heard now."""
        if kind == "subscribe":
            self.subscribed_at = time.monotonic()
            self._tell(None)
        elif kind == "pong" and isinstance(data, bytes):
            self.heard_at = float(data)
        elif kind == "message" and isinstance(data, bytes):
            self._on_change(_parse(data))
        return self.heard_at

    def _tell(self, error: Exception | None) -> None:
        """Once per outage: whoever reads what is logged at night has enough to read."""
        if error is not None and not self._is_cut_off:
            logger.warning(
                "changes are not announced any more (%s): they are read from the database",
                type(error).__name__,
            )
        elif error is None and self._is_cut_off:
            logger.warning("changes are announced again")
        self._is_cut_off = error is not None


async def _close(subscription: PubSub) -> None:
    # What goes wrong here must not take the place of a cancellation: the task would go on for ever.
    with suppress(RedisError, OSError, TimeoutError):
        await subscription.aclose()  # type: ignore[no-untyped-call]


def _parse(message: bytes) -> Change | None:
    """The change that a message tells of; None for what this version does not understand."""
    try:
        fields = orjson.loads(message)
        return change_of(str(fields["kind"]), UUID(str(fields["id"])))
    except (ValueError, KeyError, TypeError):
        return None
