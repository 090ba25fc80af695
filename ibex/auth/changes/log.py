"""Tells every process of a change: durably with its transaction, and at once over pub/sub."""

import logging

import orjson
from redis.asyncio import Redis
from redis.exceptions import RedisError

from ibex.auth.changes import repository
from ibex.auth.changes.change import Change
from ibex.storage import Connection

logger = logging.getLogger(__name__)

CHANNEL = "ibex:auth:changes"


class ChangeLog:
    """Where those write who change something.

    `note` goes into the transaction of the change, as its last statement; `announce` follows the commit. The
    message is heard within milliseconds. Who does not hear it reads the log, well within a second.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def note(self, connection: Connection, change: Change) -> None:
        await repository.note(connection, change.kind, change.id)

    async def announce(self, change: Change) -> None:
        """Never fails: the log has the change."""
        try:
            await self._redis.publish(CHANNEL, orjson.dumps({"kind": change.kind, "id": str(change.id)}))
        except (RedisError, OSError, TimeoutError) as error:
            logger.warning("a change was not announced (%s); processes read the log", type(error).__name__)
