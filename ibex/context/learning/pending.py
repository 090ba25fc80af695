"""What was said a moment ago and is not stored yet, in Redis, so that the next turn has it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import UUID

import orjson
from pydantic import TypeAdapter, ValidationError
from redis.exceptions import RedisError

from ibex.context.learning.turn import Lesson, Said
from ibex.memory import Scope
from ibex.storage import Redis, organization_key

logger = logging.getLogger(__name__)

# Turns of one end user that wait; storing one takes some tenths of a second.
MOST = 20
# Characters of one part of a turn: about what there is room for in a prompt.
LONGEST = 2_000
_LIFETIME = timedelta(minutes=15)
_UNREACHABLE = (RedisError, OSError, TimeoutError)


@dataclass(frozen=True, slots=True)
class PendingTurn:
    """What was said in a turn, less what nobody may be told; its parts in order."""

    turn_id: UUID
    session_id: str | None
    at: datetime
    said: tuple[Said, ...]


_turn = TypeAdapter(PendingTurn)


class PendingTurns:
    """By agent and end user, or by session where there is no end user; the newest, and not for long.

    Parameters
    ----------
    within: seconds that Redis may take.
    patience: seconds to wait for a turn of this process that is on its way to Redis.
    """

    def __init__(
        self,
        redis: Redis,
        *,
        within: float = 0.05,
        patience: float = 0.02,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._redis = redis
        self._within = within
        self._patience = patience
        self._now = now
        self._expected: dict[str, _Expected] = {}

    def expect(self, scope: Scope) -> None:
        """A turn of this scope is on its way; `arrived` is to be called, whatever becomes of it."""
        expected = self._expected.setdefault(_name(scope), _Expected())
        expected.turns += 1

    def arrived(self, scope: Scope) -> None:
        name = _name(scope)
        expected = self._expected[name]
        expected.turns -= 1
        if not expected.turns:
            del self._expected[name]
            expected.done.set()

    async def add(self, lesson: Lesson) -> None:
        """Keep what was said until it is stored. Raises nothing: without Redis the next turn lacks it."""
        said = tuple(
            Said(each.role, each.text[:LONGEST], is_quarantined=False)
            for each in lesson.said
            if not each.is_quarantined
        )
        if not said:
            return
        turn = PendingTurn(lesson.turn_id, lesson.scope.session_id, lesson.at, said)
        try:
            await self._bounded(self._add(_name(lesson.scope), turn))
        except _UNREACHABLE as error:
            logger.warning("a turn cannot be told before it is stored (%s)", type(error).__name__)

    async def of(self, scope: Scope) -> list[PendingTurn]:
        """The oldest first. Raises nothing: without Redis it is nothing."""
        name = _name(scope)
        expected = self._expected.get(name)
        if expected is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._patience):
                    await expected.done.wait()
        try:
            stored: dict[bytes, bytes] = await self._bounded(
                cast("Awaitable[Any]", self._redis.hgetall(name))
            )
        except _UNREACHABLE:
            return []
        turns = []
        for value in stored.values():
            # What another version has written is not needed for long.
            with suppress(ValidationError):
                turns.append(_turn.validate_json(value))
        oldest = self._now() - _LIFETIME
        return sorted((each for each in turns if each.at > oldest), key=lambda each: each.turn_id)

    async def remove(self, lesson: Lesson) -> None:
        """It is stored. Raises `RedisError`, `OSError` and `TimeoutError`."""
        await cast("Awaitable[Any]", self._redis.hdel(_name(lesson.scope), str(lesson.turn_id)))

    async def _add(self, name: str, turn: PendingTurn) -> None:
        async with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.hset(name, mapping={str(turn.turn_id): orjson.dumps(turn)})
            pipeline.pexpire(name, _LIFETIME)
            pipeline.hkeys(name)
            *_, ids = await pipeline.execute()
        # The ids of turns are in the order of time.
        too_many = sorted(ids)[:-MOST]
        if too_many:
            await cast("Awaitable[Any]", self._redis.hdel(name, *too_many))

    async def _bounded(self, asked: Awaitable[Any]) -> Any:
        async with asyncio.timeout(self._within):
            return await asked


class _Expected:
    def __init__(self) -> None:
        self.turns = 0
        self.done = asyncio.Event()


def _name(scope: Scope) -> str:
    # The user's id, or the session's, comes last, since it may be any text.
    whose = f"user:{scope.user_id}" if scope.user_id is not None else f"session:{scope.session_id}"
    return organization_key(scope.org_id, "turns", "pending", scope.agent_id, whose)
