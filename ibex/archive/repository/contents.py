"""The SQL of what is said in sessions and not archived yet."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from psycopg.rows import class_row, scalar_row

from ibex.storage import Connection, Postgres


@dataclass(frozen=True, slots=True)
class Line:
    """What is kept of one turn."""

    agent_id: UUID
    session_id: str
    turn_id: UUID
    at: datetime
    line: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Session:
    """A session of an organization: its id is the agent's own."""

    agent_id: UUID
    session_id: str


async def next_organization(postgres: Postgres, after: UUID | None) -> UUID | None:
    """The organization that follows another in order of id."""
    return await postgres.fetch_one(None, "SELECT ibex.next_organization(%s)", (after,), row=scalar_row)


async def agents_with(postgres: Postgres, org_id: UUID, session_id: str) -> list[UUID]:
    """The agents that have content of a session of that name, two at most."""
    return await postgres.fetch_all(
        org_id,
        """
        SELECT agent_id FROM ibex.session_contents WHERE session_id = %(session_id)s
        UNION
        SELECT agent_id FROM ibex.session_archives WHERE session_id = %(session_id)s
        LIMIT 2
        """,
        {"session_id": session_id},
        row=scalar_row,
    )


async def is_stored(postgres: Postgres, org_id: UUID) -> bool:
    """Whether an organization wants content kept; one that is gone does not."""
    found = await postgres.fetch_one(
        org_id, "SELECT store_content FROM ibex.organizations WHERE id = %s", (org_id,), row=scalar_row
    )
    return bool(found)


async def days(postgres: Postgres, org_id: UUID) -> int | None:
    """For how long an organization wants content kept; None when it is gone."""
    return await postgres.fetch_one(
        org_id, "SELECT content_days FROM ibex.organizations WHERE id = %s", (org_id,), row=scalar_row
    )


async def insert(postgres: Postgres, org_id: UUID, lines: Sequence[Line]) -> None:
    """What is stored already, because the answer to an earlier try was lost, is left as it is."""
    await postgres.execute(
        org_id,
        """
        INSERT INTO ibex.session_contents (org_id, agent_id, session_id, turn_id, at, line)
        SELECT %s, * FROM unnest(%s::uuid[], %s::text[], %s::uuid[], %s::timestamptz[], %s::bytea[])
        ON CONFLICT DO NOTHING
        """,
        (
            org_id,
            [each.agent_id for each in lines],
            [each.session_id for each in lines],
            [each.turn_id for each in lines],
            [each.at for each in lines],
            [each.line for each in lines],
        ),
    )


async def complete(postgres: Postgres, org_id: UUID, idle: timedelta, limit: int) -> list[Session]:
    """Sessions in which nothing was said for so long."""
    return await postgres.fetch_all(
        org_id,
        """
        SELECT agent_id, session_id
        FROM ibex.session_contents
        GROUP BY agent_id, session_id
        HAVING max(at) < now() - %s::interval
        ORDER BY max(at)
        LIMIT %s
        """,
        (idle, limit),
        row=class_row(Session),
    )


async def page(
    postgres: Postgres, org_id: UUID, session: Session, after: UUID, *, most: int, size: int
) -> list[Line]:
    """The turns that follow another: `most` of them, or those that together begin within `size` bytes."""
    return await postgres.fetch_all(
        org_id,
        """
        SELECT agent_id, session_id, turn_id, at, line
        FROM (
            SELECT *, sum(octet_length(line)) OVER (ORDER BY turn_id) - octet_length(line) AS before
            FROM (
                SELECT agent_id, session_id, turn_id, at, line
                FROM ibex.session_contents
                WHERE agent_id = %s AND session_id = %s AND turn_id > %s
                ORDER BY turn_id
                LIMIT %s
            ) AS following
        ) AS measured
        WHERE before < %s
        ORDER BY turn_id
        """,
        (session.agent_id, session.session_id, after, most, size),
        row=class_row(Line),
        binary=True,
    )


async def remove(connection: Connection, session: Session, turn_ids: Sequence[UUID]) -> int:
    """How many of these turns have gone."""
    cursor = await connection.execute(
        """
        DELETE FROM ibex.session_contents
        WHERE agent_id = %s AND session_id = %s AND turn_id = ANY(%s)
        """,
        (session.agent_id, session.session_id, list(turn_ids)),
    )
    return cursor.rowcount


async def remove_session(postgres: Postgres, org_id: UUID, session: Session) -> int:
    """How many turns have gone."""
    return await postgres.execute(
        org_id,
        "DELETE FROM ibex.session_contents WHERE agent_id = %s AND session_id = %s",
        (session.agent_id, session.session_id),
    )


async def expire(postgres: Postgres, org_id: UUID, days: int) -> int:
    """How many turns, older than so many days, have gone."""
    return await postgres.execute(
        org_id,
        "DELETE FROM ibex.session_contents WHERE at < now() - make_interval(days => %s)",
        (days,),
    )
