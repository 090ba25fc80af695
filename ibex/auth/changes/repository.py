"""The SQL of the log of changes."""

from dataclasses import dataclass
from uuid import UUID

from psycopg.rows import class_row

from ibex.storage import Connection, Postgres


@dataclass(frozen=True, slots=True)
class News:
    """The newest number of the log, and what has changed since the one that was asked about.

    `is_complete` is false when the log no longer knows all of it.
    """

    latest: int
    is_complete: bool
    kinds: list[str]
    subjects: list[UUID]


async def note(connection: Connection, kind: str, subject: UUID) -> None:
    """Add to the log. To be the last statement of a transaction: the next change waits for its end."""
    await connection.execute("SELECT ibex.note_change(%s, %s)", (kind, subject))


async def changes_after(postgres: Postgres, number: int) -> News | None:
    return await postgres.fetch_one(
        None, "SELECT * FROM ibex.changes_after(%s)", (number,), row=class_row(News)
    )
