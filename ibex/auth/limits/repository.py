"""The SQL of overrides."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from psycopg.rows import class_row, scalar_row

from ibex.auth.limits.allowances import Allowance
from ibex.auth.limits.month import MonthUse
from ibex.auth.limits.notice import Notice
from ibex.auth.limits.scope import Scope
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
    requests_per_month: int | None
    tokens_per_month: int | None
    nano_usd_per_month: int | None
    updated_at: datetime

    @property
    def allowance(self) -> Allowance:
        return Allowance(
            self.requests_per_minute,
            self.tokens_per_minute,
            self.concurrent_requests,
            self.requests_per_month,
            self.tokens_per_month,
            self.nano_usd_per_month,
        )


_COLUMNS = """
    SELECT
        id, scope, subject, requests_per_minute, tokens_per_minute, concurrent_requests, requests_per_month,
        tokens_per_month, nano_usd_per_month, updated_at
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
            (org_id, id, scope, subject, requests_per_minute, tokens_per_minute, concurrent_requests,
            requests_per_month, tokens_per_month, nano_usd_per_month)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
        ON CONFLICT (org_id, scope, subject) DO UPDATE SET
            requests_per_minute = excluded.requests_per_minute,
            tokens_per_minute = excluded.tokens_per_minute,
            concurrent_requests = excluded.concurrent_requests,
            requests_per_month = excluded.requests_per_month,
            tokens_per_month = excluded.tokens_per_month,
            nano_usd_per_month = excluded.nano_usd_per_month,
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
            *allowance.monthly,
        ),
    )


async def find_locked(connection: Connection, override_id: UUID) -> Override | None:
    """An override, which stays as it is until the transaction ends."""
    async with connection.cursor(row_factory=class_row(Override)) as cursor:
        await cursor.execute(_COLUMNS + "WHERE id = %s FOR UPDATE", (override_id,))
        return await cursor.fetchone()


async def delete(connection: Connection, override_id: UUID) -> None:
    await connection.execute("DELETE FROM ibex.limit_overrides WHERE id = %s", (override_id,))


async def used_in(postgres: Postgres, org_id: UUID, month: date) -> list[MonthUse]:
    """What an organization and its agents have used in a month; none of those that have used nothing."""
    return await postgres.fetch_all(
        org_id,
        """
        SELECT month, scope, subject, requests, tokens, cost_nano_usd
        FROM ibex.usage_months
        WHERE month = %s
        """,
        (month,),
        row=class_row(MonthUse),
    )


async def holding_for_a_month(connection: Connection) -> list[Override]:
    """The overrides of the organization that limit a month."""
    async with connection.cursor(row_factory=class_row(Override)) as cursor:
        await cursor.execute(
            _COLUMNS + "WHERE num_nonnulls(requests_per_month, tokens_per_month, nano_usd_per_month) > 0"
        )
        return await cursor.fetchall()


async def use(connection: Connection, org_id: UUID, uses: Sequence[MonthUse]) -> list[MonthUse]:
    """Add to what was used, of each subject and month once; what that comes to."""
    ordered = sorted(uses, key=lambda each: (each.month, each.scope, each.subject))
    async with connection.cursor(row_factory=class_row(MonthUse)) as cursor:
        await cursor.execute(
            """
            INSERT INTO ibex.usage_months AS u
                (org_id, month, scope, subject, requests, tokens, cost_nano_usd)
            SELECT %s, month, scope, subject, requests, tokens, cost
            FROM unnest(%s::date[], %s::text[], %s::uuid[], %s::bigint[], %s::bigint[], %s::bigint[])
                AS t (month, scope, subject, requests, tokens, cost)
            ON CONFLICT (org_id, month, scope, subject) DO UPDATE SET
                requests = u.requests + excluded.requests,
                tokens = u.tokens + excluded.tokens,
                cost_nano_usd = u.cost_nano_usd + excluded.cost_nano_usd
            RETURNING month, scope, subject, requests, tokens, cost_nano_usd
            """,
            (
                org_id,
                [each.month for each in ordered],
                [each.scope for each in ordered],
                [each.subject for each in ordered],
                [each.requests for each in ordered],
                [each.tokens for each in ordered],
                [each.cost_nano_usd for each in ordered],
            ),
        )
        return await cursor.fetchall()


async def note(connection: Connection, org_id: UUID, notices: Sequence[Notice]) -> list[Notice]:
    """Take note of what is to be told once; those that nobody had noted."""
    ordered = sorted(notices)
    async with connection.cursor(row_factory=class_row(Notice)) as cursor:
        await cursor.execute(
            """
            INSERT INTO ibex.limit_notices (org_id, since, scope, subject, dimension, percent)
            SELECT %s, since, scope, subject, dimension, percent
            FROM unnest(%s::timestamptz[], %s::text[], %s::uuid[], %s::text[], %s::smallint[])
                AS t (since, scope, subject, dimension, percent)
            ON CONFLICT DO NOTHING
            RETURNING since, scope, subject, dimension, percent
            """,
            (
                org_id,
                [each.since for each in ordered],
                [each.scope for each in ordered],
                [each.subject for each in ordered],
                [each.dimension for each in ordered],
                [each.percent for each in ordered],
            ),
        )
        return await cursor.fetchall()


async def forget_notices(postgres: Postgres, org_id: UUID, kept: timedelta, most: int) -> int:
    """Remove some that are older; how many."""
    return await postgres.execute(
        org_id,
        """
        DELETE FROM ibex.limit_notices
        WHERE ctid = ANY (ARRAY(
            SELECT ctid FROM ibex.limit_notices WHERE since < now() - %s::interval LIMIT %s
        ))
        """,
        (kept, most),
    )
