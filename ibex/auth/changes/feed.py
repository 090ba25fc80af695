"""Hears, in every process, of each change within a second.

Two ways lead here. A message over Redis pub/sub comes within milliseconds, but may be missed. The log in
Postgres misses nothing, and is read twice a second. While neither way is open nothing that is remembered is
to be trusted; the feed says so.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from uuid import UUID

import orjson
import psycopg
from redis.asyncio import Redis
from redis.exceptions import RedisError

from ibex.auth.changes import repository
from ibex.auth.changes.change import KINDS, Change
from ibex.auth.changes.log import CHANNEL
from ibex.storage import DatabaseUnavailableError, Postgres
from ibex.tasks import BackgroundTask

logger = logging.getLogger(__name__)

_PING_EVERY = 0.25
_RETRY_EVERY = 0.25
_READ_EVERY = 0.4
# How long after its last sign of life a way counts as open (seconds); with it, what is remembered is at most
# this much behind.
_LIVE_FOR = 0.8


class ChangeFeed:
    """Listens for changes and calls `on_change`; with None, anything may have changed."""

    def __init__(self, redis: Redis, postgres: Postgres, on_change: Callable[[Change | None], None]) -> None:
        self._redis = redis
        self._postgres = postgres
        self._on_change = on_change
        self._heard_at = self._read_at = float("-inf")
        self._number: int | None = None
        self._is_cut_off = False
        self._listener = BackgroundTask("changes-listener", self._keep_listening)
        self._reader = BackgroundTask("changes-reader", self._keep_reading)

    @property
    def is_live(self) -> bool:
        """Whether a change made now would be heard of."""
        return time.monotonic() - max(self._heard_at, self._read_at) < _LIVE_FOR

    def start(self) -> None:
        self._listener.start()
        self._reader.start()

    async def stop(self) -> None:
        await self._listener.stop()
        await self._reader.stop()

    async def _keep_reading(self) -> None:
        while True:
            asked_at = time.monotonic()
            try:
                async with asyncio.timeout(_LIVE_FOR):
                    await self._read()
                self._read_at = asked_at
            except (DatabaseUnavailableError, psycopg.Error, TimeoutError):
                # Whoever needs the database says that it is away; the listener goes on.
                pass
            await asyncio.sleep(_READ_EVERY)

    async def _read(self) -> None:
        news = await repository.changes_after(self._postgres, self._number or 0)
        if news is None or news.latest == self._number:
            return
        if self._number is None or not news.is_complete:
            self._on_change(None)
        else:
            for kind, subject in zip(news.kinds, news.subjects, strict=True):
                self._on_change(_change(kind, subject))
        self._number = news.latest

    async def _keep_listening(self) -> None:
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
                "changes are not announced any more (%s): they are read from the database",
                type(error).__name__,
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
                logger.warning("changes are announced again")
            # What was announced in the meantime has been read, unless the database was away as well.
            if not self.is_live:
                self._on_change(None)
        elif kind == "message" and isinstance(data, bytes):
            self._on_change(_parse(data))


def _parse(message: bytes) -> Change | None:
    """The change that a message tells of; None for what this version does not understand."""
    try:
        fields = orjson.loads(message)
        return _change(str(fields["kind"]), UUID(str(fields["id"])))
    except (ValueError, KeyError, TypeError):
        return None


def _change(kind: str, subject: UUID) -> Change | None:
    return Change(kind, subject) if kind in KINDS else None  # type: ignore[arg-type]
