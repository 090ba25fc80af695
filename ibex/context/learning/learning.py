"""What a finished turn teaches, on its way from the process that served it to the one that stores it."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar

from redis.exceptions import RedisError

from ibex.context.learning.choices import LearningChoices
from ibex.context.learning.lesson import LONGEST, lesson_of
from ibex.context.learning.pending import PendingTurns
from ibex.context.learning.turn import FinishedTurn, Lesson
from ibex.memory import Tokenizer
from ibex.storage import DatabaseUnavailableError
from ibex.storage.write_behind import WriteBehind

Result = TypeVar("Result")

JOB = "turn.capture"

# With the longest of questions, some eighty megabytes.
_CAPACITY = 2_000
# Bytes of answers that are kept until they are read, for when a store is away.
_MOST_UNREAD = 64 << 20
# A turn takes about a millisecond; what comes next is not to wait for many of them.
_BATCH = 50
# The next turn of a conversation may come at once (seconds).
_INTERVAL = 0.002
# Characters, of what was told too, that are read in a millisecond and a half; more would hold up the loop.
_SHORT = 4_000
# Of a stream, some two hundred events; reading them takes as long.
_FEW_BYTES = 64 << 10
_AWAY = (DatabaseUnavailableError, RedisError, OSError)


class JobSink(Protocol):
    """Where jobs are left for whoever does them."""

    async def put(self, name: str, jobs: Mapping[str, Mapping[str, Any]]) -> int:
        """Leave jobs of one name, by their ids; how many of the first of them there was room for."""
        ...


@dataclass(slots=True)
class _Entry:
    """A turn, and what is known of it by now."""

    turn: FinishedTurn
    is_expected: bool
    answer: str | None = None
    lesson: Lesson | None = None
    is_read: bool = False


class Learning:
    """Takes finished turns without waiting, and leaves what they teach as jobs.

    One is handed over for each call that was answered, in whole or in part, unless the client does not want
    it; after the answer, from the loop that served it. It needs the scope with the session, the text of the
    user, a function that reads the answer, and every memory that stood in the prompt.

    Parameters
    ----------
    dropped: called with the number of turns from which nothing will be learned, because there was no room, or
        because they could not be read.
    """

    def __init__(
        self,
        choices: LearningChoices,
        pending: PendingTurns,
        jobs: JobSink,
        *,
        dropped: Callable[[int], None],
    ) -> None:
        self._choices = choices
        self._pending = pending
        self._jobs = jobs
        self._dropped = dropped
        self._unread = 0
        self._tokenizer = Tokenizer()
        self._entries: WriteBehind[_Entry] = WriteBehind(
            self._hand_over,
            dropped=dropped,
            capacity=_CAPACITY,
            batch=_BATCH,
            interval=_INTERVAL,
            away=_AWAY,
        )

    def __len__(self) -> int:
        return len(self._entries)

    def start(self) -> None:
        self._entries.start()

    def finished(self, turn: FinishedTurn) -> None:
        """Take a turn; never waits, never fails."""
        if self._unread + turn.answer_bytes > _MOST_UNREAD:
            self._dropped(1)
            return
        has_room = len(self._entries) < _CAPACITY
        if has_room:
            self._unread += turn.answer_bytes
            self._pending.expect(turn.scope)
        self._entries.add(_Entry(replace(turn, question=turn.question[:LONGEST]), is_expected=has_room))

    async def close(self, *, within: float) -> None:
        """Hand over what is left, for at most `within` seconds."""
        await self._entries.close(within=within)

    async def _hand_over(self, entries: Sequence[_Entry]) -> None:
        for entry in entries:
            await self._read(entry)
        lessons = [each.lesson for each in entries if each.lesson is not None and not each.lesson.is_empty]
        if lessons:
            jobs = {
                f"{JOB}:{each.scope.org_id}:{each.turn_id}": {"org_id": each.scope.org_id, "lesson": each}
                for each in lessons
            }
            taken = await self._jobs.put(JOB, jobs)
            if taken < len(jobs):
                self._dropped(len(jobs) - taken)

    async def _read(self, entry: _Entry) -> None:
        """Find out what a turn teaches; once, however often it is tried to hand it over."""
        if entry.is_read:
            return
        turn = entry.turn
        try:
            if entry.answer is None:
                self._unread -= turn.answer_bytes if entry.is_expected else 0
                entry.answer = (await _in_time(turn.answer_bytes > _FEW_BYTES, turn.read_answer))[:LONGEST]
                # The copy of the answer is not kept while a store is away.
                entry.turn = turn = replace(turn, read_answer=str)
            choice = await self._choices.of(turn.scope.org_id)
            if choice.memory_capture:
                entry.lesson = await self._lesson(turn, entry.answer, choice.memory_pii)
                await self._pending.add(entry.lesson)
            entry.is_read = True
        finally:
            if entry.is_expected:
                entry.is_expected = False
                self._pending.arrived(turn.scope)

    async def _lesson(self, turn: FinishedTurn, answer: str, pii: str) -> Lesson:
        size = len(turn.question) + len(answer) + sum(len(each.text) for each in turn.told)
        return await _in_time(size > _SHORT, lambda: lesson_of(turn, answer, pii, self._tokenizer))


async def _in_time(is_long: bool, work: Callable[[], Result]) -> Result:
    """What takes long is done in a thread, so that the loop goes on."""
    return await asyncio.to_thread(work) if is_long else work()
