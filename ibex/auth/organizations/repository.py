"""The SQL of organizations."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from psycopg.rows import class_row

from ibex.storage import Connection, Postgres


@dataclass(frozen=True, slots=True)
class Organization:
    id: UUID
    slug: str
    name: str
    status: str
    allows_caller_keys: bool
    created_at: datetime
    delete_after: datetime | None


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
        SELECT id, slug, name, status, allows_caller_keys, created_at, delete_after
        FROM ibex.organizations
        WHERE id = %s
        """,
        (org_id,),
        row=class_row(Organization),
    )


async def next_organization(postgres: Postgres, after: UUID | None) -> UUID | None:
    """The id that follows another; with None, the first one."""
    row = await postgres.fetch_one(
        None,
        "SELECT id FROM ibex.next_organization(%s) AS id WHERE id IS NOT NULL",
        (after,),
        row=class_row(_Id),
    )
    return row.id if row else None


async def insert(connection: Connection, org_id: UUID, slug: str, name: str) -> None:
    await connection.execute(
        "INSERT INTO ibex.organizations (id, slug, name) VALUES (%s, %s, %s)", (org_id, slug, name)
    )


@dataclass(frozen=True, slots=True)
class _Id:
    id: UUID
