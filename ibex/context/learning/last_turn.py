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
# Jobs may be done in another order than that of their turns, whose ids sort as they were said.
_KEEP = """
local kept = redis.call('GET', KEYS[1])
if not kept or cjson.decode(kept).turn_id < ARGV[1] then
    redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
end
"""


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
        """Unless a later turn of the session is kept already."""
        last = orjson.dumps(LastTurn(lesson.turn_id, lesson.question, lesson.used)).decode()
        kept = self._redis.eval(_KEEP, 1, _name(lesson), str(lesson.turn_id), last, str(_LIFETIME))
        await cast("Awaitable[Any]", kept)


def _name(lesson: Lesson) -> str:
    # The session's id comes last, since it may be any text; so a user's, who may be named as a session is.
    scope = lesson.scope
    who = "" if scope.user_id is None else scope.user_id.encode().hex()
    return organization_key(scope.org_id, "turns", "last", scope.agent_id, who, scope.session_id)
