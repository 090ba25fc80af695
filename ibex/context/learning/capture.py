"""The job that stores what a turn teaches."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import uuid5

from pydantic import TypeAdapter

from ibex.auth import Actor
from ibex.context.learning import repository
from ibex.context.learning.last_turn import LastTurn, LastTurns
from ibex.context.learning.pending import PendingTurns
from ibex.context.learning.pieces import pieces
from ibex.context.learning.turn import Lesson, Said
from ibex.errors import ErrorCode, IbexError
from ibex.memory import Inference, InferredFeedback, MemoryWriter, NewMemory, Provenance
from ibex.storage import Postgres

logger = logging.getLogger(__name__)

# What the audit and the history of a memory call whoever has learned it.
ACTOR = "capture"
# Little, since either is a guess: twenty uses of a memory weigh as much as two people who say that it helped.
_WEIGHT_OF_USE = 0.1
# A user who rejects an answer may mean anything in it, but says so on purpose.
_WEIGHT_OF_CORRECTION = 0.25
# The agent was deleted meanwhile, or the organization; or the end user has a name that no memory can have.
_FINAL = (ErrorCode.ACCESS_DENIED, ErrorCode.VALIDATION_ERROR)

_lesson = TypeAdapter(Lesson)


class TurnCapture:
    """Stores what was said, word for word, and moves the usefulness of the memories that the model was told.

    Done again, it changes nothing: a memory of the same turn is a duplicate, and an inference counts once.
    """

    def __init__(
        self,
        writer: MemoryWriter,
        inferred: InferredFeedback,
        pending: PendingTurns,
        last_turns: LastTurns,
        postgres: Postgres,
    ) -> None:
        self._writer = writer
        self._inferred = inferred
        self._pending = pending
        self._last_turns = last_turns
        self._postgres = postgres

    async def run(self, payload: Mapping[str, Any]) -> None:
        """Raises what the stores raise when they are away; then it is to be done again."""
        lesson = _lesson.validate_python(payload["lesson"])
        choice = await repository.choice(self._postgres, lesson.scope.org_id)
        if choice is None or not choice.memory_capture:
            # It was turned off, or erased, since the turn was left here.
            await self._pending.remove(lesson)
            return
        actor = Actor.local(lesson.scope.org_id, ACTOR)
        last = await self._last_turns.before(lesson)
        try:
            await self._store(actor, lesson, last)
            await self._infer(actor, lesson, last)
        except IbexError as error:
            if error.code not in _FINAL:
                raise
            logger.info("a turn is not remembered (%s)", error.code)
        await self._last_turns.keep(lesson)
        await self._pending.remove(lesson)

    async def _store(self, actor: Actor, lesson: Lesson, last: LastTurn | None) -> None:
        said: Sequence[Said] = lesson.said
        if last is not None and last.question == lesson.question:
            # The same call again, as when an answer is wanted anew.
            said = [each for each in said if each.role != "user"]
        memories = list(_memories(lesson, said))
        if not memories:
            return
        for answer in await self._writer.write_many(actor, lesson.scope, memories):
            if isinstance(answer, IbexError) and answer.code is not ErrorCode.DUPLICATE_CONTENT:
                logger.warning("a part of a turn is not remembered (%s)", answer.code)

    async def _infer(self, actor: Actor, lesson: Lesson, last: LastTurn | None) -> None:
        inferences = [
            Inference(
                uuid5(lesson.turn_id, f"answer {memory_id}"),
                memory_id,
                "helpful",
                _WEIGHT_OF_USE,
                "answer",
                used_at=lesson.at,
            )
            for memory_id in lesson.used
        ]
        if lesson.is_correction and last is not None:
            inferences += [
                Inference(
                    uuid5(lesson.turn_id, f"correction {memory_id}"),
                    memory_id,
                    "unhelpful",
                    _WEIGHT_OF_CORRECTION,
                    "correction",
                )
                for memory_id in last.used
            ]
        if inferences:
            await self._inferred.note(actor, inferences)


def _memories(lesson: Lesson, said: Sequence[Said]) -> Iterator[NewMemory]:
    """One part after the other, in the order in which they were said."""
    at = lesson.at
    for each in said:
        # What is to be looked at is looked at as a whole: a part of it may be harmless by itself.
        for piece in [each.text] if each.is_quarantined else pieces(each.text):
            yield NewMemory(
                content=piece,
                kind="episodic",
                observed_at=at,
                # Strangers who name no end user are not to share what they say.
                visibility="session" if lesson.scope.user_id is None else "agent",
                provenance=Provenance(lesson.turn_id, each.role, None, lesson.trace_id),
            )
            at += timedelta(microseconds=1)
