"""Reads what was used on each day."""

from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from ibex.auth import Actor
from ibex.auth.agents.ownership import check_owner
from ibex.auth.names import invalid
from ibex.storage import Postgres
from ibex.traces.usage import repository
from ibex.traces.usage.repository import MOST_ROWS, DayUsage

__all__ = ["DayUsage", "UsageReading"]

_USUAL_DAYS = 30


class UsageReading:
    """Of the actor's organization, and of no other agent than their token's."""

    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres

    async def days(
        self, actor: Actor, agent_id: UUID | None, model: str | None, since: date | None, until: date | None
    ) -> list[DayUsage]:
        """By day, agent and model, both days included; the last thirty days unless they are said.

        Raises AGENT_NOT_AUTHORIZED, and VALIDATION_ERROR for more than ten thousand rows.
        """
        if actor.agent_id is not None:
            check_owner(actor, agent_id or actor.agent_id)
            agent_id = actor.agent_id
        last = until or datetime.now(UTC).date()
        first = since or last - timedelta(days=min(_USUAL_DAYS - 1, (last - date.min).days))
        if first > last:
            raise invalid("since", "`since` must not be after `until`.")
        found = await repository.between(self._postgres, actor.org_id, agent_id, model, first, last)
        if len(found) > MOST_ROWS:
            raise invalid("since", f"That is more than {MOST_ROWS} rows: ask for fewer days, or one agent.")
        return found
