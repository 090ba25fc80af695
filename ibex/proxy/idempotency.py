"""Idempotency keys: the same request sent twice is answered once and told the same thing twice.

The first request reserves its key in Redis; its complete answer is kept there for some hours. A request that
fails gives its key back. Either happens only while the reservation is still its own: one that took too long
has lost it, perhaps to a later request. While Redis is away requests pass, and a header says that the key was
not honoured.
"""

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any
from uuid import UUID

from redis.exceptions import RedisError

from ibex.auth import AgentPrincipal
from ibex.errors import ErrorCode, IbexError
from ibex.storage import Redis, organization_key

logger = logging.getLogger(__name__)

# Longer than any provider may take; a process that dies frees its keys by then.
_RESERVED_FOR = 15 * 60
# KEYS[1] the key; ARGV the reservation, then what takes its place and for how many seconds.
_KEEP = """
if redis.call("GET", KEYS[1]) == ARGV[1] then
    redis.call("SET", KEYS[1], ARGV[2], "EX", ARGV[3])
end
"""
_GIVE_BACK = """
if redis.call("GET", KEYS[1]) == ARGV[1] then
    redis.call("DEL", KEYS[1])
end
"""


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """A complete answer as it was sent, and the session it belongs to."""

    content_type: str
    body: bytes = field(repr=False)
    session_id: str | None


@dataclass(frozen=True, slots=True)
class Reservation:
    """A key that the request `owner` holds. `is_honoured` is False when Redis was away."""

    key: str
    fingerprint: str
    owner: UUID
    is_honoured: bool = True

    @property
    def mark(self) -> str:
        """What is stored while the request is being answered."""
        return f"{self.fingerprint} {self.owner.hex}"


def fingerprint(
    operation: str,
    user_id: str | None,
    session_id: str | None,
    body: bytes,
    provider_key: str | None = None,
) -> str:
    """What makes two requests the same: what is asked, about whom and in which session, as far as named.

    A provider key of the caller's is part of it: what was answered on one account, perhaps by a model that
    only this account has, is not to be told to whoever brings the key of another.
    """
    named = "\0".join((operation, user_id or "", session_id or "", ""))
    if provider_key is not None:
        named += f"{provider_key}\0"
    return sha256(named.encode() + body).hexdigest()


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
        self, principal: AgentPrincipal, key: str, fingerprint: str, owner: UUID
    ) -> Reservation | StoredAnswer:
        """The right of the request `owner` to answer, or the answer that was given before.

        Raises IDEMPOTENCY_KEY_REUSE when the key belongs to another request, and IDEMPOTENCY_IN_PROGRESS
        when the first one is still being answered.
        """
        name = sha256(f"{principal.agent_id}\0{key}".encode()).hexdigest()
        redis_key = organization_key(principal.org_id, "idempotency", name)
        reservation = Reservation(redis_key, fingerprint, owner)
        asking: asyncio.Future[Any] = asyncio.ensure_future(
            self._redis.set(redis_key, reservation.mark, nx=True, get=True, ex=_RESERVED_FOR)
        )
        try:
            async with asyncio.timeout(self._timeout):
                before = await asyncio.shield(asking)
        except (RedisError, OSError, TimeoutError):
            self._undo(asking, reservation)
            return replace(reservation, is_honoured=False)
        except asyncio.CancelledError:
            self._undo(asking, reservation)
            raise
        if before is None:
            return reservation
        return _judge(before, fingerprint)

    async def keep(self, reservation: Reservation, answer: StoredAnswer) -> None:
        """Keep a complete answer for the next time. Called after it has been sent; never raises."""
        if not reservation.is_honoured:
            return
        if len(answer.body) > self._limit:
            await self.give_back(reservation)
            return
        head = f"{reservation.fingerprint}\n{answer.session_id or ''}\n{answer.content_type}\n"
        value = head.encode("latin-1") + answer.body
        await self._quietly(self._evaluate(_KEEP, reservation, value, self._keep))

    async def give_back(self, reservation: Reservation) -> None:
        """Free the key: the request was not answered. Never raises."""
        if reservation.is_honoured:
            await self._quietly(self._evaluate(_GIVE_BACK, reservation))

    async def _evaluate(self, script: str, reservation: Reservation, *arguments: bytes | int) -> None:
        # redis-py types this for both of its clients at once, synchronous and not.
        running: Any = self._redis.eval(script, 1, reservation.key, reservation.mark, *arguments)  # type: ignore[arg-type]
        await running

    def _undo(self, asking: "asyncio.Future[Any]", reservation: Reservation) -> None:
        """Redis may have made a reservation whose answer nobody waited for; then the key is freed."""

        async def undo() -> None:
            with suppress(RedisError, OSError, TimeoutError):
                if await asking is None:
                    await self._evaluate(_GIVE_BACK, reservation)

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
    """What is stored is a reservation's mark, or fingerprint, session, content type and body, a line each."""
    head, is_answered, answer = stored.partition(b"\n")
    if head.partition(b" ")[0] != fingerprint.encode():
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
    session_id, content_type, body = answer.split(b"\n", 2)
    return StoredAnswer(content_type.decode("latin-1"), body, session_id.decode("latin-1") or None)
