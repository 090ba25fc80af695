"""Idempotency keys: the same request sent twice is answered once and told the same thing twice.

The first request reserves its key in Redis; its complete answer is kept there for some hours. A request that
fails gives its key back. While Redis is away requests pass, and a header says that the key was not honoured.
"""

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from redis.exceptions import RedisError

from ibex.auth import Principal
from ibex.errors import ErrorCode, IbexError
from ibex.storage import Redis, organization_key

logger = logging.getLogger(__name__)

# Longer than any provider may take; a process that dies frees its keys by then.
_RESERVED_FOR = 15 * 60


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """A complete answer as it was sent."""

    content_type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Reservation:
    """A key that this request holds. `is_honoured` is False when Redis was away."""

    key: str
    fingerprint: str
    is_honoured: bool = True


class IdempotencyKeys:
    """Reserves keys and keeps answers.

    Parameters
    ----------
    timeout: seconds to wait for Redis.
    keep: seconds an answer is kept.
    limit: bytes of the largest answer that is kept; a larger one gives its key back.
    """

    def __init__(self, redis: Redis, *, timeout: float, keep: int, limit: int) -> None:
        self._redis = redis
        self._timeout = timeout
        self._keep = keep
        self._limit = limit
        self._undoing: set[asyncio.Task[None]] = set()

    async def reserve(
        self, principal: Principal, key: str, operation: str, body: bytes
    ) -> Reservation | StoredAnswer:
        """The right to answer, or the answer that was given before.

        Raises IDEMPOTENCY_KEY_REUSE when the key belongs to another request, and IDEMPOTENCY_IN_PROGRESS
        when the first one is still being answered.
        """
        fingerprint = sha256(operation.encode() + b"\0" + body).hexdigest()
        name = sha256(f"{principal.agent_id}\0{key}".encode()).hexdigest()
        redis_key = organization_key(principal.org_id, "idempotency", name)
        asking: asyncio.Future[Any] = asyncio.ensure_future(
            self._redis.set(redis_key, fingerprint, nx=True, get=True, ex=_RESERVED_FOR)
        )
        try:
            async with asyncio.timeout(self._timeout):
                before = await asyncio.shield(asking)
        except (RedisError, OSError, TimeoutError):
            self._undo(asking, redis_key)
            return Reservation(redis_key, fingerprint, is_honoured=False)
        except asyncio.CancelledError:
            self._undo(asking, redis_key)
            raise
        if before is None:
            return Reservation(redis_key, fingerprint)
        return _judge(before, fingerprint)

    async def keep(self, reservation: Reservation, answer: StoredAnswer) -> None:
        """Keep a complete answer for the next time. Called after it has been sent; never raises."""
        if not reservation.is_honoured:
            return
        if len(answer.body) > self._limit:
            await self.give_back(reservation)
            return
        value = b"\n".join(
            (reservation.fingerprint.encode(), answer.content_type.encode("latin-1"), answer.body)
        )
        await self._quietly(self._redis.set(reservation.key, value, ex=self._keep))

    async def give_back(self, reservation: Reservation) -> None:
        """Free the key: the request was not answered. Never raises."""
        if reservation.is_honoured:
            await self._quietly(self._redis.delete(reservation.key))

    def _undo(self, asking: "asyncio.Future[Any]", redis_key: str) -> None:
        """Redis may have made a reservation whose answer nobody waited for; then the key is freed."""

        async def undo() -> None:
            with suppress(RedisError, OSError, TimeoutError):
                if await asking is None:
                    await self._redis.delete(redis_key)

        task = asyncio.create_task(undo(), name="idempotency-undo")
        self._undoing.add(task)
        task.add_done_callback(self._undoing.discard)

    async def _quietly(self, command: Any) -> None:
        try:
            async with asyncio.timeout(max(self._timeout, 1.0)):
                await command
        except (RedisError, OSError, TimeoutError) as error:
            logger.warning("an idempotency key was not updated: %s", type(error).__name__)


def _judge(stored: bytes, fingerprint: str) -> StoredAnswer:
    """What is stored is the fingerprint alone, or with content type and body behind it, a line each."""
    known, is_answered, answer = stored.partition(b"\n")
    if known != fingerprint.encode():
        raise IbexError(
            ErrorCode.IDEMPOTENCY_KEY_REUSE,
            "This idempotency key was used with another request; use a new key.",
            param="Idempotency-Key",
        )
    if not is_answered:
        raise IbexError(
            ErrorCode.IDEMPOTENCY_IN_PROGRESS,
            "The first request with this idempotency key is still being answered.",
            param="Idempotency-Key",
            headers={"Retry-After": "1"},
        )
    content_type, _, body = answer.partition(b"\n")
    return StoredAnswer(content_type.decode("latin-1"), body)
