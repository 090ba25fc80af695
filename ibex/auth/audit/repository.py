"""The SQL of the audit."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from uuid import UUID

from psycopg.rows import class_row

from ibex.auth.audit.chain import Head, StoredEvent
from ibex.storage import Connection, Postgres


@dataclass(frozen=True, slots=True)
class NewEvent:
    """The columns that are not the chain's to fill."""

    org_id: UUID
    id: UUID
    actor: str
    action: str
    target: str | None
    outcome: str
    request_id: UUID | None
    address: str | None
    detail: str


@dataclass(frozen=True, slots=True)
class Selection:
    """Which events are wanted; what is None does not matter.

    `action` is how it begins. `since` is the first moment that counts, `until` the first that no longer does.
    """

    action: str | None = None
    actor: str | None = None
    outcome: str | None = None
    target: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Seal:
    """What the database says of a chain as a whole, at one moment: its head, and how many rows there are."""

    number: int
    hash: str
    rows: int

    @property
    def head(self) -> Head:
        return Head(self.number, self.hash)


# Every field as the text that was hashed, so that nothing a column may hold can fail to load.
_COLUMNS = """
    SELECT
        number,
        org_id::text AS org_id,
        id::text AS id,
        to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS at,
        actor,
        action,
        target,
        outcome,
        request_id::text AS request_id,
        abbrev(address) AS address,
        detail,
        coalesce(encode(previous_hash, 'hex'), '') AS previous_hash,
        coalesce(encode(hash, 'hex'), '') AS hash
    FROM ibex.audit_events
"""

_SELECTED = """
    AND (%(action)s::text IS NULL OR starts_with(action, %(action)s))
    AND (%(actor)s::text IS NULL OR actor = %(actor)s)
    AND (%(outcome)s::text IS NULL OR outcome = %(outcome)s)
    AND (%(target)s::text IS NULL OR target = %(target)s)
    AND (%(since)s::timestamptz IS NULL OR at >= %(since)s)
    AND (%(until)s::timestamptz IS NULL OR at < %(until)s)
"""


async def insert(connection: Connection, events: Sequence[NewEvent]) -> None:
    """Store events; one that is stored already, because the answer to an earlier try was lost, stays."""
    async with connection.cursor() as cursor:
        await cursor.executemany(
            """
            INSERT INTO ibex.audit_events
                (org_id, id, actor, action, target, outcome, request_id, address, detail)
            VALUES (
                %(org_id)s, %(id)s, %(actor)s, %(action)s, %(target)s, %(outcome)s, %(request_id)s,
                %(address)s, %(detail)s
            )
            """,
            [asdict(event) for event in events],
        )


async def enter(connection: Connection, org_id: UUID) -> None:
    """Go on in another organization, in the same transaction."""
    await connection.execute("SELECT set_config('app.current_org_id', %s, true)", (str(org_id),))


async def newest(
    postgres: Postgres, org_id: UUID, before: int | None, limit: int, selection: Selection
) -> list[StoredEvent]:
    """Selected events with a smaller number than `before`, the newest first."""
    return await postgres.fetch_all(
        org_id,
        _COLUMNS
        + "WHERE (%(before)s::bigint IS NULL OR number < %(before)s)"
        + _SELECTED
        + "ORDER BY number DESC LIMIT %(limit)s",
        {**asdict(selection), "before": before, "limit": limit},
        row=class_row(StoredEvent),
    )


async def within(
    postgres: Postgres, org_id: UUID, after: int, to: int, selection: Selection
) -> list[StoredEvent]:
    """Selected events with numbers above `after` up to `to`, in their order."""
    return await postgres.fetch_all(
        org_id,
        _COLUMNS + "WHERE number > %(after)s AND number <= %(to)s" + _SELECTED + "ORDER BY number",
        {**asdict(selection), "after": after, "to": to},
        row=class_row(StoredEvent),
    )


async def head(postgres: Postgres, org_id: UUID) -> Head:
    """Where the chain ends at the moment."""
    found = await postgres.fetch_one(
        org_id, "SELECT number, encode(hash, 'hex') AS hash FROM ibex.audit_chains", row=class_row(Head)
    )
    return found or Head.before_the_first(str(org_id))


async def seal(postgres: Postgres, org_id: UUID) -> Seal | None:
    """None when the organization has no chain, and no row that should be in one."""
    return await postgres.fetch_one(
        org_id,
        """
        SELECT
            coalesce(chain.number, 0) AS number,
            coalesce(encode(chain.hash, 'hex'), '') AS hash,
            stored.rows
        FROM (SELECT count(*) AS rows FROM ibex.audit_events) AS stored
        LEFT JOIN ibex.audit_chains AS chain ON true
        WHERE chain.number IS NOT NULL OR stored.rows > 0
        """,
        row=class_row(Seal),
    )
