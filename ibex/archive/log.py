"""The turns of one web process, on their way to the database; never through Redis, which has no content."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from uuid import UUID

from ibex.archive.choices import ContentChoices
from ibex.archive.content import SpokenTurn, line_of
from ibex.archive.repository import contents
from ibex.archive.repository.contents import Line
from ibex.storage import Postgres
from ibex.storage.write_behind import WriteBehind

_CAPACITY = 2_000
# Bytes of turns that wait to be read, for when the database is away.
_MOST_UNREAD = 64 << 20
_BATCH = 50
# Bytes that are read and written as JSON in about a millisecond; more would hold up the loop.
_FEW_BYTES = 64 << 10


@dataclass(slots=True)
class _Entry:
    """A turn until it is read, and then its line."""

    org_id: UUID
    turn: SpokenTurn | None
    line: Line | None = None


class ContentLog:
    """Takes turns without waiting, and stores those of organizations that want it.

    Parameters
    ----------
    limit: most bytes of a turn, longer ones are cut.
    dropped: called with the number of turns that are lost, because there was no room or they were refused.
    """

    def __init__(
        self, postgres: Postgres, choices: ContentChoices, *, limit: int, dropped: Callable[[int], None]
    ) -> None:
        self._postgres = postgres
        self._choices = choices
        self._limit = limit
        self._dropped = dropped
        self._unread = 0
        self._entries: WriteBehind[_Entry] = WriteBehind(
            self._write, dropped=dropped, capacity=_CAPACITY, batch=_BATCH
        )

    def __len__(self) -> int:
        return len(self._entries)

    def start(self) -> None:
        self._entries.start()

    def wants(self, org_id: UUID) -> bool:
        """Whether a turn of this organization should be added; costs a look into a dictionary."""
        return not self._choices.is_known_to_refuse(org_id)

    def add(self, turn: SpokenTurn) -> None:
        """Take a turn; never waits, never fails."""
        if self._unread + turn.size > _MOST_UNREAD or len(self._entries) >= _CAPACITY:
            self._dropped(1)
            return
        self._unread += turn.size
        self._entries.add(_Entry(turn.org_id, turn))

    async def close(self, *, within: float) -> None:
        """Write what is left, for at most `within` seconds."""
        await self._entries.close(within=within)

    async def _write(self, entries: Sequence[_Entry]) -> None:
        for org_id, group in groupby(sorted(entries, key=_org), key=_org):
            if not await self._choices.stores(org_id):
                continue
            lines = [await self._line(entry) for entry in group]
            await contents.insert(self._postgres, org_id, [line for line in lines if line is not None])
        for entry in entries:
            self._let_go(entry)

    async def _line(self, entry: _Entry) -> Line | None:
        """Read a turn; once, however often it is tried to store it."""
        line, turn = entry.line, entry.turn
        if line is not None or turn is None:
            return line
        in_thread = turn.size > _FEW_BYTES
        text = (
            await asyncio.to_thread(line_of, turn, self._limit) if in_thread else line_of(turn, self._limit)
        )
        entry.line = Line(turn.agent_id, turn.session_id, turn.turn_id, turn.at, text)
        self._let_go(entry)
        return entry.line

    def _let_go(self, entry: _Entry) -> None:
        if entry.turn is not None:
            self._unread -= entry.turn.size
            entry.turn = None


def _org(entry: _Entry) -> UUID:
    return entry.org_id
