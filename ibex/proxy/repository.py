"""The SQL of sessions and their turns."""

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import orjson
from psycopg.rows import scalar_row

from ibex.storage import Postgres

if TYPE_CHECKING:
    from ibex.proxy.turns import Turn

# One statement, so that a turn and its session agree. A turn that is stored already, because the answer to
# an earlier try was lost, is not counted twice. Sessions come in one order, so that two processes that
# write the same ones cannot deadlock. The columns are named, so that a newer replica may add one.
_INSERT_TURNS = """
WITH new AS (
    INSERT INTO ibex.session_turns (
        org_id, id, agent_id, session_id, token_id, user_id, at, operation, provider, model, model_served,
        streamed, status, outcome, error_code, finish_reason, attempts, request_bytes, request_sha256,
        response_bytes, response_sha256, input_tokens, cached_tokens, output_tokens, usage_source,
        overhead_ms, first_byte_ms, latency_ms
    )
    SELECT
        org_id, id, agent_id, session_id, token_id, user_id, at, operation, provider, model, model_served,
        streamed, status, outcome, error_code, finish_reason, attempts, request_bytes, request_sha256,
        response_bytes, response_sha256, input_tokens, cached_tokens, output_tokens, usage_source,
        overhead_ms, first_byte_ms, latency_ms
    FROM jsonb_populate_recordset(NULL::ibex.session_turns, %s::jsonb)
    ON CONFLICT (org_id, id) DO NOTHING
    RETURNING org_id, agent_id, session_id, user_id, at
)
INSERT INTO ibex.sessions AS s (org_id, agent_id, id, user_id, turns, started_at, last_turn_at)
SELECT
    org_id,
    agent_id,
    session_id,
    (array_agg(user_id ORDER BY at DESC) FILTER (WHERE user_id IS NOT NULL))[1],
    count(*),
    min(at),
    max(at)
FROM new
GROUP BY org_id, agent_id, session_id
ORDER BY org_id, agent_id, session_id
ON CONFLICT (org_id, agent_id, id) DO UPDATE SET
    status = 'active',
    user_id = coalesce(excluded.user_id, s.user_id),
    turns = s.turns + excluded.turns,
    last_turn_at = greatest(s.last_turn_at, excluded.last_turn_at)
"""


async def insert_turns(postgres: Postgres, org_id: UUID, turns: Sequence["Turn"]) -> None:
    """Store the turns of one organization and bring their sessions up to date."""
    await postgres.execute(org_id, _INSERT_TURNS, (orjson.dumps(turns).decode(),))


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
