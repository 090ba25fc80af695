"""What a turn was told, for the calls that go on with it.

While an agent calls tools, each of its requests has the same last user message, and everything before it is
what the provider has cached. So they are told the same memories as the first, whatever is learned meanwhile.
"""

import asyncio
import logging
from collections.abc import Awaitable, Sequence
from hashlib import blake2b
from typing import Any
from uuid import UUID

import orjson
from redis.exceptions import RedisError

from ibex.memory import Scope
from ibex.storage import Redis, organization_key

logger = logging.getLogger(__name__)

# Tools may take long, and people who must confirm them longer (seconds).
_KEEP = 3_600
_UNREACHABLE = (RedisError, OSError, TimeoutError)


class RepeatedTurns:
    """Ids of memories in Redis, never their texts: what is deleted meanwhile is told no more.

    Parameters
    ----------
    timeout: seconds to wait for Redis.
    """

    def __init__(self, redis: Redis, *, timeout: float) -> None:
        self._redis = redis
        self._timeout = timeout

    async def keep(self, scope: Scope, conversation: str, question: str, told: Sequence[UUID]) -> None:
        """Remember what a turn was told, as well as that can be."""
        name = _name(scope, conversation, question)
        await self._bounded(self._redis.set(name, orjson.dumps(told), ex=_KEEP))

    async def forget(self, scope: Scope, conversation: str, question: str) -> None:
        """The same was asked before, and is answered anew."""
        await self._bounded(self._redis.delete(_name(scope, conversation, question)))

    async def told(self, scope: Scope, conversation: str, question: str) -> list[UUID] | None:
        """None when nothing is known."""
        try:
            async with asyncio.timeout(self._timeout):
                stored = await self._redis.get(_name(scope, conversation, question))
        except _UNREACHABLE:
            return None
        return None if stored is None else [UUID(each) for each in orjson.loads(stored)]

    async def _bounded(self, asked: Awaitable[Any]) -> None:
        try:
            async with asyncio.timeout(self._timeout):
                await asked
        except _UNREACHABLE as error:
            logger.warning("what a turn was told is not remembered (%s)", type(error).__name__)


def _name(scope: Scope, conversation: str, question: str) -> str:
    digest = blake2b(digest_size=16)
    for part in (conversation, scope.user_id or "", question):
        digest.update(len(part).to_bytes(4) + part.encode("utf-8", "replace"))
    return organization_key(scope.org_id, "context", "told", scope.agent_id.hex, digest.hexdigest())
