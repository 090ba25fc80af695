"""Look-ups whose answers are remembered: for a while, never against a change, each asked for once."""

import logging
import time
from collections.abc import Callable, Coroutine, Set
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar
from uuid import UUID

import psycopg

from ibex.auth.changes import Change
from ibex.auth.changes.change import Kind
from ibex.errors import IbexError
from ibex.storage import DatabaseUnavailableError
from ibex.tasks import SharedTask

logger = logging.getLogger(__name__)

Key = TypeVar("Key")
Answer = TypeVar("Answer")

# While nothing can be heard of changes, an answer is trusted only this long (seconds).
_TRUST_WITHOUT_FEED: Final = 0.5


@dataclass(frozen=True, slots=True)
class Finding(Generic[Answer]):
    """What a look-up has found.

    `subjects` are those who must not change for it to stay true. `life` is how many seconds it may be
    remembered, counted from when it was asked for; None when nothing may be remembered of it.
    """

    answer: Answer
    subjects: Set[UUID]
    life: float | None


@dataclass(frozen=True, slots=True)
class _Entry(Generic[Answer]):
    answer: Answer
    subjects: Set[UUID]
    asked_at: float
    fresh_until: float


class LookupCache(Generic[Key, Answer]):
    """The newest `capacity` answers. The oldest makes room, so that memory stays flat under a flood.

    What a change touches is looked up and not searched for: whoever changes a thousand tokens does not stop
    the traffic.

    Parameters
    ----------
    what: is looked up, as the log calls it.
    touched_by: the kinds of change that may make an answer untrue.
    timeout: seconds that a look-up may take.
    unavailable: makes the error for whoever waits for a look-up that is late or fails.
    feed_is_live: whether changes reach this process at the moment.
    """

    def __init__(
        self,
        what: str,
        touched_by: Set[Kind],
        *,
        timeout: float,
        unavailable: Callable[[], IbexError],
        feed_is_live: Callable[[], bool],
        capacity: int = 10_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._what = what
        self._touched_by = touched_by
        self._timeout = timeout
        self._unavailable = unavailable
        self._feed_is_live = feed_is_live
        self._capacity = capacity
        self._clock = clock
        self._entries: dict[Key, _Entry[Answer]] = {}
        self._keys: dict[UUID, set[Key]] = {}
        self._running: dict[Key, SharedTask[Answer]] = {}
        self._generation = 0

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, key: Key) -> bool:
        """Whether something was found before and nothing has changed since, be it fresh or not."""
        return key in self._entries

    def get(self, key: Key) -> Answer | None:
        """What is remembered and may still be used."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        now = self._clock()
        if now < entry.fresh_until and (now - entry.asked_at < _TRUST_WITHOUT_FEED or self._feed_is_live()):
            return entry.answer
        return None

    async def look_up(self, key: Key, find: Callable[[], Coroutine[Any, Any, Finding[Answer]]]) -> Answer:
        """Ask now, or wait with whoever has asked; one that goes away does not end it for the rest.

        Raises what `find` raises, and `unavailable` for its `psycopg.Error` and `DatabaseUnavailableError`.
        """
        running = self._running.get(key)
        if running is None:
            running = self._running[key] = SharedTask(
                self._ask(key, find), f"look up {self._what}", lambda done: self._finished(key, done)
            )
        try:
            return await running.result(self._timeout)
        except (TimeoutError, DatabaseUnavailableError):
            raise self._unavailable() from None

    def forget(self, change: Change | None) -> None:
        """Drop what a change touches; None drops everything. Nobody waits for an older answer from now on."""
        if change is None:
            self._entries.clear()
            self._keys.clear()
        elif change.kind in self._touched_by:
            for key in tuple(self._keys.get(change.id, ())):
                self._drop(key)
        else:
            return
        self._generation += 1
        self._running.clear()

    async def _ask(self, key: Key, find: Callable[[], Coroutine[Any, Any, Finding[Answer]]]) -> Answer:
        generation, asked_at = self._generation, self._clock()
        try:
            found = await find()
        except psycopg.Error as error:
            logger.error("%s cannot be looked up: %s: %s", self._what, type(error).__name__, error)
            raise DatabaseUnavailableError(str(error)) from error
        # A change since then may have made this what was.
        if generation == self._generation:
            self._drop(key)
            if found.life is not None:
                self._keep(key, _Entry(found.answer, found.subjects, asked_at, asked_at + found.life))
        return found.answer

    def _finished(self, key: Key, lookup: SharedTask[Answer]) -> None:
        if self._running.get(key) is lookup:
            del self._running[key]

    def _keep(self, key: Key, entry: _Entry[Answer]) -> None:
        if len(self._entries) >= self._capacity:
            self._drop(next(iter(self._entries)))
        self._entries[key] = entry
        for subject in entry.subjects:
            self._keys.setdefault(subject, set()).add(key)

    def _drop(self, key: Key) -> None:
        entry = self._entries.pop(key, None)
        if entry is None:
            return
        for subject in entry.subjects:
            keys = self._keys[subject]
            keys.remove(key)
            if not keys:
                del self._keys[subject]
