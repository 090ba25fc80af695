"""The SQL of usage by day."""

from dataclasses import dataclass
from datetime import date
from typing import Final
from uuid import UUID

from psycopg.rows import class_row

from ibex.storage import Postgres

# More rows than that are asked for by a shorter time, or by agent.
MOST_ROWS: Final = 10_000


@dataclass(frozen=True, slots=True)
class DayUsage:
    """What an agent used of one model on one day (UTC). `cost_nano_usd` is in 1e-9 US dollars."""

    day: date
    agent_id: UUID
    model: str
    calls: int
    errors: int
    input_tokens: int
    cached_tokens: int
    output_tokens: int
    cost_nano_usd: int


async def between(
    postgres: Postgres, org_id: UUID, agent_id: UUID | None, model: str | None, since: date, until: date
) -> list[DayUsage]:
    """Both days are included."""
    return await postgres.fetch_all(
        org_id,
        """
        SELECT day, agent_id, model, calls, errors, input_tokens, cached_tokens, output_tokens, cost_nano_usd
        FROM ibex.usage_days
        WHERE day BETWEEN %(since)s AND %(until)s
            AND (%(agent_id)s::uuid IS NULL OR agent_id = %(agent_id)s)
            AND (%(model)s::text IS NULL OR model = %(model)s)
        ORDER BY day, agent_id, model
        LIMIT %(limit)s
        """,
        {"since": since, "until": until, "agent_id": agent_id, "model": model, "limit": MOST_ROWS + 1},
        row=class_row(DayUsage),
    )
