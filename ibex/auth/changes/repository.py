"""The SQL of the log of changes."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from psycopg.rows import class_row

from ibex.storage import Connection, Postgres


@dataclass(frozen=True, slots=True)
class Position:
    """How far a log has been read: the number of its last entry, 0 for an empty log, and that entry's time.

    A number alone would not do. A database that was restored, or lost its last transactions in a failover,
    gives the same numbers again.
    """

    number: int = 0
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class News:
    """The newest entry of the log, and what has changed since the position that was asked about.

    `is_complete` is false when that position is not in the log, or too much came after it.
    """

    latest: int
    latest_at: datetime | None
    is_complete: bool
    kinds: list[str]
    subjects: list[UUID]

    @property
    def position(self) -> Position:
        return Position(self.latest, self.latest_at)


async def note(connection: Connection, kind: str, subject: UUID) -> None:
    """Add to the log. To be the last statement of a transaction: the next change waits for its end."""
    await connection.execute("SELECT ibex.note_change(%s, %s)", (kind, subject))


async def changes_after(postgres: Postgres, position: Position) -> News | None:
    return await postgres.fetch_one(
        None,
        "SELECT * FROM ibex.changes_after(%s, %s)",
        (position.number, position.at),
        row=class_row(News),
    )
