"""The SQL of sessions that end by themselves."""

from datetime import timedelta
from uuid import UUID

from psycopg.rows import scalar_row

from ibex.storage import Postgres


async def next_organization(postgres: Postgres, after: UUID | None) -> UUID | None:
    """The organization that follows another in order of id, for work that goes through all of them."""
    return await postgres.fetch_one(None, "SELECT ibex.next_organization(%s)", (after,), row=scalar_row)


async def end_idle_sessions(postgres: Postgres, org_id: UUID, idle: timedelta) -> int:
    """How many sessions of an organization have ended."""
    return await postgres.execute(
        org_id,
        """
        UPDATE ibex.sessions
        SET status = 'ended'
        WHERE status = 'active' AND last_turn_at < now() - %s::interval
        """,
        (idle,),
    )
