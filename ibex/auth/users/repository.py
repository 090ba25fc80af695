"""The SQL of users."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from psycopg.rows import class_row, scalar_row, tuple_row

from ibex.auth.roles import Role
from ibex.storage import Connection, Postgres


@dataclass(frozen=True, slots=True)
class User:
    """A person. One who was removed has an id and nothing else: `email` is None."""

    id: UUID
    email: str | None
    name: str
    role: Role
    status: str
    created_at: datetime
    updated_at: datetime


_COLUMNS = """
    SELECT
        id,
        CASE WHEN status <> 'removed' THEN email END AS email,
        name,
        role,
        status,
        created_at,
        updated_at
    FROM ibex.users
"""


async def insert(
    connection: Connection, org_id: UUID, user_id: UUID, email: str, name: str, role: Role
) -> None:
    await connection.execute(
        "INSERT INTO ibex.users (org_id, id, email, name, role) VALUES (%s, %s, %s, %s, %s)",
        (org_id, user_id, email, name, role),
    )


async def count(connection: Connection) -> int:
    """How many there are, but for those who were removed."""
    async with connection.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute("SELECT count(*) FROM ibex.users WHERE status <> 'removed'")
        return int(await cursor.fetchone() or 0)


async def page(
    postgres: Postgres, org_id: UUID, after: UUID | None, limit: int, status: str | None
) -> list[User]:
    """Users in the order of their ids; without a status, all but those who were removed."""
    return await postgres.fetch_all(
        org_id,
        _COLUMNS
        + """
        WHERE (%(after)s::uuid IS NULL OR id > %(after)s)
            AND CASE WHEN %(status)s::text IS NULL THEN status <> 'removed' ELSE status = %(status)s END
        ORDER BY id
        LIMIT %(limit)s
        """,
        {"after": after, "status": status, "limit": limit},
        row=class_row(User),
    )


async def find(postgres: Postgres, org_id: UUID, user_id: UUID) -> User | None:
    return await postgres.fetch_one(org_id, _COLUMNS + "WHERE id = %s", (user_id,), row=class_row(User))


async def find_by_email(postgres: Postgres, org_id: UUID, email: str) -> User | None:
    return await postgres.fetch_one(
        org_id, _COLUMNS + "WHERE lower(email) = %s", (email,), row=class_row(User)
    )


async def find_to_change(connection: Connection, org_id: UUID, user_id: UUID) -> User | None:
    """A user, while no other transaction changes any user of the organization."""
    await connection.execute("SELECT FROM ibex.organizations WHERE id = %s FOR NO KEY UPDATE", (org_id,))
    async with connection.cursor(row_factory=class_row(User)) as cursor:
        await cursor.execute(_COLUMNS + "WHERE id = %s", (user_id,))
        return await cursor.fetchone()


async def find_to_rely_on(connection: Connection, user_id: UUID) -> User | None:
    """A user who stays as they are until the end of the transaction."""
    async with connection.cursor(row_factory=class_row(User)) as cursor:
        await cursor.execute(_COLUMNS + "WHERE id = %s FOR SHARE", (user_id,))
        return await cursor.fetchone()


async def active_owners(connection: Connection) -> int:
    async with connection.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute("SELECT count(*) FROM ibex.users WHERE role = 'owner' AND status = 'active'")
        row = await cursor.fetchone()
    return int(row[0]) if row else 0


async def update(
    connection: Connection, user_id: UUID, email: str | None, name: str | None, role: Role
) -> None:
    """What is None stays."""
    await connection.execute(
        """
        UPDATE ibex.users
        SET email = coalesce(%s, email), name = coalesce(%s, name), role = %s, updated_at = now()
        WHERE id = %s
        """,
        (email, name, role, user_id),
    )


async def set_status(connection: Connection, user_id: UUID, status: str) -> None:
    await connection.execute(
        "UPDATE ibex.users SET status = %s, updated_at = now() WHERE id = %s", (status, user_id)
    )


async def remove(connection: Connection, user_id: UUID) -> None:
    """Forget who it was. The id stays, because the audit names it."""
    await connection.execute(
        """
        UPDATE ibex.users
        SET status = 'removed', email = id::text || '@removed.invalid', name = '', updated_at = now()
        WHERE id = %s
        """,
        (user_id,),
    )
