"""The SQL of archives."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from datetime import datetime
from uuid import UUID

from psycopg.rows import class_row, scalar_row

from ibex.archive.repository.contents import Session
from ibex.storage import Connection, Postgres


@dataclass(frozen=True, slots=True)
class Archive:
    """One object with some turns of a session."""

    object_key: str
    agent_id: UUID
    session_id: str
    format: int
    turns: int
    first_turn_id: UUID
    last_turn_id: UUID
    first_at: datetime
    last_at: datetime
    content_bytes: int
    object_bytes: int
    object_sha256: bytes


async def insert(connection: Connection, org_id: UUID, archive: Archive) -> bool:
    """Whether it was not there yet."""
    cursor = await connection.execute(
        """
        INSERT INTO ibex.session_archives (
            org_id, object_key, agent_id, session_id, format, turns, first_turn_id, last_turn_id, first_at,
            last_at, content_bytes, object_bytes, object_sha256
        )
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
        ON CONFLICT DO NOTHING
        """,
        (org_id, *astuple(archive)),
    )
    return cursor.rowcount == 1


async def of_session(postgres: Postgres, org_id: UUID, session: Session) -> list[Archive]:
    """All of them, in the order of their turns."""
    return await postgres.fetch_all(
        org_id,
        """
        SELECT object_key, agent_id, session_id, format, turns, first_turn_id, last_turn_id, first_at,
            last_at, content_bytes, object_bytes, object_sha256
        FROM ibex.session_archives
        WHERE agent_id = %s AND session_id = %s
        ORDER BY first_turn_id
        """,
        (session.agent_id, session.session_id),
        row=class_row(Archive),
    )


async def following(postgres: Postgres, org_id: UUID, after: str, limit: int) -> list[Archive]:
    """Those of an organization whose keys come after another."""
    return await postgres.fetch_all(
        org_id,
        """
        SELECT object_key, agent_id, session_id, format, turns, first_turn_id, last_turn_id, first_at,
            last_at, content_bytes, object_bytes, object_sha256
        FROM ibex.session_archives
        WHERE object_key > %s
        ORDER BY object_key
        LIMIT %s
        """,
        (after, limit),
        row=class_row(Archive),
    )


async def expired(postgres: Postgres, org_id: UUID, days: int, limit: int) -> list[str]:
    """Keys of those whose last turn is more than so many days old."""
    return await postgres.fetch_all(
        org_id,
        """
        SELECT object_key FROM ibex.session_archives
        WHERE last_at < now() - make_interval(days => %s)
        ORDER BY last_at
        LIMIT %s
        """,
        (days, limit),
        row=scalar_row,
    )


async def known(postgres: Postgres, org_id: UUID, keys: Sequence[str]) -> set[str]:
    """Those of the keys that have a row."""
    return set(
        await postgres.fetch_all(
            org_id,
            "SELECT object_key FROM ibex.session_archives WHERE object_key = ANY(%s)",
            (list(keys),),
            row=scalar_row,
        )
    )


async def remove(postgres: Postgres, org_id: UUID, key: str) -> None:
    await postgres.execute(org_id, "DELETE FROM ibex.session_archives WHERE object_key = %s", (key,))
