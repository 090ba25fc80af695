"""The SQL of organizations."""

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from uuid import UUID

from psycopg.rows import class_row, scalar_row

from ibex.storage import Connection, Postgres


@dataclass(frozen=True, slots=True)
class Organization:
    id: UUID
    slug: str
    name: str
    status: str
    allows_caller_keys: bool
    memory_pii: str
    memory_capture: bool
    store_content: bool
    content_days: int
    created_at: datetime
    delete_after: datetime | None


@dataclass(frozen=True, slots=True)
class Choices:
    """What an organization may choose for itself; what is None stays.

    Parameters
    ----------
    memory_pii: what is done with a memory that holds personal data: `allow`, `redact` or `quarantine`.
    memory_capture: whether what is said to its agents, and answered, is remembered.
    store_content: whether what is said in sessions is kept as it was said, and archived.
    content_days: for how long.
    """

    name: str | None = None
    allows_caller_keys: bool | None = None
    memory_pii: str | None = None
    memory_capture: bool | None = None
    store_content: bool | None = None
    content_days: int | None = None


async def find_by_slug(postgres: Postgres, slug: str) -> UUID | None:
    """The id of an organization; asked before the tenant is known."""
    row = await postgres.fetch_one(
        None, "SELECT id FROM ibex.find_organization(%s)", (slug,), row=class_row(_Id)
    )
    return row.id if row else None


async def find(postgres: Postgres, org_id: UUID) -> Organization | None:
    return await postgres.fetch_one(
        org_id,
        """
        SELECT
            id, slug, name, status, allows_caller_keys, memory_pii, memory_capture, store_content,
            content_days, created_at, delete_after
        FROM ibex.organizations
        WHERE id = %s
        """,
        (org_id,),
        row=class_row(Organization),
    )


async def next_organization(postgres: Postgres, after: UUID | None) -> UUID | None:
    """The id that follows another; with None, the first one."""
    following = await next_organizations(postgres, after, 1)
    return following[0] if following else None


async def next_organizations(postgres: Postgres, after: UUID | None, limit: int) -> list[UUID]:
    """The ids that follow another, of all organizations; with None, the first ones."""
    rows = await postgres.fetch_all(
        None,
        """
        WITH RECURSIVE walk (id, position) AS (
            SELECT ibex.next_organization(%s), 1
            UNION ALL
            SELECT ibex.next_organization(walk.id), walk.position + 1
            FROM walk
            WHERE walk.id IS NOT NULL AND walk.position < %s
        )
        SELECT id FROM walk WHERE id IS NOT NULL ORDER BY position
        """,
        (after, limit),
        row=class_row(_Id),
    )
    return [row.id for row in rows]


async def next_to_erase(postgres: Postgres, after: UUID | None) -> UUID | None:
    """The first after another whose grace period is over."""
    row = await postgres.fetch_one(
        None,
        "SELECT id FROM ibex.next_organization_to_erase(%s) AS id WHERE id IS NOT NULL",
        (after,),
        row=class_row(_Id),
    )
    return row.id if row else None


async def insert(connection: Connection, org_id: UUID, slug: str, name: str) -> None:
    await connection.execute(
        "INSERT INTO ibex.organizations (id, slug, name) VALUES (%s, %s, %s)", (org_id, slug, name)
    )


async def update(connection: Connection, org_id: UUID, choices: Choices) -> None:
    await connection.execute(
        """
        UPDATE ibex.organizations
        SET name = coalesce(%(name)s, name),
            allows_caller_keys = coalesce(%(allows_caller_keys)s, allows_caller_keys),
            memory_pii = coalesce(%(memory_pii)s, memory_pii),
            memory_capture = coalesce(%(memory_capture)s, memory_capture),
            store_content = coalesce(%(store_content)s, store_content),
            content_days = coalesce(%(content_days)s, content_days)
        WHERE id = %(org_id)s
        """,
        {**asdict(choices), "org_id": org_id},
    )


async def status_to_change(connection: Connection, org_id: UUID) -> str | None:
    """The status, which stays until the end of the transaction; None when there is no such organization.

    One whose grace period is over counts as erased: `erasing`.
    """
    async with connection.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(
            """
            SELECT CASE WHEN delete_after <= clock_timestamp() THEN 'erasing' ELSE status END
            FROM ibex.organizations
            WHERE id = %s
            FOR NO KEY UPDATE
            """,
            (org_id,),
        )
        status: str | None = await cursor.fetchone()
        return status


async def set_status(connection: Connection, org_id: UUID, status: str) -> None:
    await connection.execute(
        "UPDATE ibex.organizations SET status = %s, delete_after = NULL WHERE id = %s", (status, org_id)
    )


async def begin_to_delete(connection: Connection, org_id: UUID, grace: timedelta) -> None:
    await connection.execute(
        "UPDATE ibex.organizations SET status = 'deleting', delete_after = now() + %s WHERE id = %s",
        (grace, org_id),
    )


async def is_last_with_platform_rights(connection: Connection, org_id: UUID) -> bool:
    """Whether nobody else could administer organizations over REST; it stays so up to the commit."""
    async with connection.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute("SELECT ibex.is_last_with_platform_rights(%s)", (org_id,))
        return bool(await cursor.fetchone())


async def erase(connection: Connection, org_id: UUID) -> bool:
    """Whether every row of an organization whose grace period is over has gone."""
    cursor = await connection.execute("SELECT ibex.erase_organization(%s)", (org_id,))
    erased = await cursor.fetchone()
    return erased is not None and bool(erased[0])


@dataclass(frozen=True, slots=True)
class _Id:
    id: UUID
