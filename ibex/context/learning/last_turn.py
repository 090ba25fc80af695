"""The last turn of each session, for what the next one says about it."""

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

import orjson
from pydantic import TypeAdapter

from ibex.context.learning.turn import Lesson
from ibex.storage import Redis, organization_key

# Whoever comes back later than that talks about something else (seconds).
_LIFETIME = 3_600


@dataclass(frozen=True, slots=True)
class LastTurn:
    """A turn as its `Lesson` has it."""

    turn_id: UUID
    question: str
    used: tuple[UUID, ...]


_turn = TypeAdapter(LastTurn)


class LastTurns:
    """Its methods raise `RedisError`, `OSError` and `TimeoutError`."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def before(self, lesson: Lesson) -> LastTurn | None:
        """The turn before this one in its session."""
        stored = await cast("Awaitable[Any]", self._redis.get(_name(lesson)))
        if stored is None:
            return None
        last = _turn.validate_json(stored)
        return last if last.turn_id < lesson.turn_id else None

    async def keep(self, lesson: Lesson) -> None:
        last = LastTurn(lesson.turn_id, lesson.question, lesson.used)
        await cast("Awaitable[Any]", self._redis.set(_name(lesson), orjson.dumps(last), ex=_LIFETIME))


def _name(lesson: Lesson) -> str:
    # The session's id comes last, since it may be any text; so a user's, who may be named as a session is.
    scope = lesson.scope
    who = "" if scope.user_id is None else scope.user_id.encode().hex()
    return organization_key(scope.org_id, "turns", "last", scope.agent_id, who, scope.session_id)
