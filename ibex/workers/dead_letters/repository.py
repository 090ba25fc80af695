"""The SQL of dead letters."""

from datetime import timedelta
from typing import LiteralString
from uuid import UUID

from psycopg.rows import class_row

from ibex.storage import Connection, Postgres
from ibex.workers.dead_letters.letter import DeadLetter, Removed
from ibex.workers.given_up import GivenUp

_KNOWN: LiteralString = """
    SELECT id, name, job_id, keys, octet_length(payload) AS size, tries, error, first_failed_at, died_at
    FROM ibex.dead_letters
"""


async def insert(connection: Connection, letter_id: UUID, job: GivenUp) -> bool:
    """Whether it was not there yet."""
    cursor = await connection.execute(
        """
        INSERT INTO ibex.dead_letters
            (org_id, id, name, job_id, payload, keys, tries, error, first_failed_at, died_at)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
        ON CONFLICT (org_id, job_id) DO NOTHING
        """,
        (
            job.org_id,
            letter_id,
            job.name,
            job.job_id,
            job.payload,
            list(job.keys),
            job.tries,
            job.error,
            job.first_failed_at,
            job.died_at,
        ),
    )
    return cursor.rowcount == 1


async def find(postgres: Postgres, org_id: UUID, letter_id: UUID) -> DeadLetter | None:
    return await postgres.fetch_one(org_id, _KNOWN + "WHERE id = %s", (letter_id,), row=class_row(DeadLetter))


async def page(
    postgres: Postgres, org_id: UUID, name: str | None, after: UUID | None, limit: int
) -> list[DeadLetter]:
    """In the order of their ids, which is that in which they died."""
    return await postgres.fetch_all(
        org_id,
        _KNOWN
        + """
        WHERE (%s::text IS NULL OR name = %s) AND (%s::uuid IS NULL OR id > %s)
        ORDER BY id
        LIMIT %s
        """,
        (name, name, after, after, limit),
        row=class_row(DeadLetter),
    )


async def remove(connection: Connection, letter_id: UUID) -> Removed | None:
    """Whoever comes second waits for the end of the transaction, and then finds none."""
    async with connection.cursor(row_factory=class_row(Removed)) as cursor:
        await cursor.execute(
            "DELETE FROM ibex.dead_letters WHERE id = %s RETURNING name, job_id, payload", (letter_id,)
        )
        return await cursor.fetchone()


async def expire(postgres: Postgres, org_id: UUID, kept_for: timedelta, most: int) -> int:
    """Remove those that are too old, and of too many the oldest; how many those were."""
    return await postgres.execute(
        org_id,
        """
        DELETE FROM ibex.dead_letters
        WHERE died_at < now() - %s::interval
            OR id <= (SELECT id FROM ibex.dead_letters ORDER BY id DESC OFFSET %s LIMIT 1)
        """,
        (kept_for, most),
    )
