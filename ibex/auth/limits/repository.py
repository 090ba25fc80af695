"""The SQL of overrides."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from psycopg.rows import class_row, scalar_row

from ibex.auth.limits.allowances import Allowance
from ibex.auth.limits.limit import Scope
from ibex.storage import Connection, Postgres


@dataclass(frozen=True, slots=True)
class Override:
    """What one subject of an organization is allowed instead of the default; None is not overridden."""

    id: UUID
    scope: Scope
    subject: str
    requests_per_minute: int | None
    tokens_per_minute: int | None
    concurrent_requests: int | None
    updated_at: datetime

    @property
    def allowance(self) -> Allowance:
        return Allowance(self.requests_per_minute, self.tokens_per_minute, self.concurrent_requests)


_COLUMNS = """
    SELECT id, scope, subject, requests_per_minute, tokens_per_minute, concurrent_requests, updated_at
    FROM ibex.limit_overrides
"""


async def all_of(postgres: Postgres, org_id: UUID) -> list[Override]:
    return await postgres.fetch_all(org_id, _COLUMNS, row=class_row(Override))


async def page(postgres: Postgres, org_id: UUID, after: UUID | None, limit: int) -> list[Override]:
    """Overrides in the order of their ids, which is that of their creation."""
    return await postgres.fetch_all(
        org_id,
        _COLUMNS + "WHERE %s::uuid IS NULL OR id > %s ORDER BY id LIMIT %s",
        (after, after, limit),
        row=class_row(Override),
    )


async def find(postgres: Postgres, org_id: UUID, scope: Scope, subject: str) -> Override | None:
    return await postgres.fetch_one(
        org_id, _COLUMNS + "WHERE scope = %s AND subject = %s", (scope, subject), row=class_row(Override)
    )


async def lock(connection: Connection, org_id: UUID) -> None:
    """One change of an organization's overrides at a time, so that they can be counted."""
    await connection.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended('limits:' || %s, 0))", (str(org_id),)
    )


async def count(connection: Connection) -> int:
    """How many overrides the organization has."""
    async with connection.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute("SELECT count(*) FROM ibex.limit_overrides")
        return int(await cursor.fetchone() or 0)


async def exists(connection: Connection, scope: Scope, subject: UUID) -> bool:
    """Whether the organization has such a token or agent, or is that organization."""
    queries = {
        "token": "SELECT FROM ibex.tokens WHERE id = %s",
        "agent": "SELECT FROM ibex.agents WHERE id = %s",
        "organization": "SELECT FROM ibex.organizations WHERE id = %s",
    }
    cursor = await connection.execute(queries[scope], (subject,))
    return cursor.rowcount > 0


async def put(
    connection: Connection, org_id: UUID, override_id: UUID, scope: Scope, subject: str, allowance: Allowance
) -> None:
    """Store an override; one that is there already keeps its id."""
    await connection.execute(
        """
        INSERT INTO ibex.limit_overrides
            (org_id, id, scope, subject, requests_per_minute, tokens_per_minute, concurrent_requests)
        VALUES (%s, %s, %s, %s, %s, %s, %s)
        ON CONFLICT (org_id, scope, subject) DO UPDATE SET
            requests_per_minute = excluded.requests_per_minute,
            tokens_per_minute = excluded.tokens_per_minute,
            concurrent_requests = excluded.concurrent_requests,
            updated_at = now()
        """,
        (
            org_id,
            override_id,
            scope,
            subject,
            allowance.requests_per_minute,
            allowance.tokens_per_minute,
            allowance.concurrent_requests,
        ),
    )


async def find_locked(connection: Connection, override_id: UUID) -> Override | None:
    """An override, which stays as it is until the transaction ends."""
    async with connection.cursor(row_factory=class_row(Override)) as cursor:
        await cursor.execute(_COLUMNS + "WHERE id = %s FOR UPDATE", (override_id,))
        return await cursor.fetchone()


async def delete(connection: Connection, override_id: UUID) -> None:
    await connection.execute("DELETE FROM ibex.limit_overrides WHERE id = %s", (override_id,))
