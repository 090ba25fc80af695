"""The SQL of what is kept of every call in Postgres: turns, sessions and the use of a day."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import orjson
import psycopg

from ibex.traces.trace import Trace

# Whoever counts for an organization counts alone: two that write the same rows would wait for each other
# anyway, and might for ever.
_ALONE = "SELECT pg_advisory_xact_lock(hashtextextended('traces:' || %s, 0))"

# Where a turn is new, and only there, it counts for its session and its day: what was written before, because
# the end of an earlier try was lost, is left as it is. The columns are named, so that a newer version may add
# one. A trace of an agent that is gone is none.
_COUNT = """
WITH told AS MATERIALIZED (
    SELECT DISTINCT ON (t.id) t.*
    FROM jsonb_to_recordset(%(traces)s::jsonb) AS t (
        id uuid, agent_id uuid, session_id text, token_id uuid, user_id text, at timestamptz, operation text,
        provider text, model text, model_served text, streamed boolean, status smallint, outcome text,
        error_code text, finish_reason text, attempts smallint, request_bytes bigint, request_sha256 text,
        response_bytes bigint, response_sha256 text, input_tokens integer, cached_tokens integer,
        output_tokens integer, usage_source text, overhead_ms real, first_byte_ms real, latency_ms real,
        cost_nano_usd bigint
    )
    WHERE EXISTS (SELECT FROM ibex.agents AS a WHERE a.org_id = %(org_id)s AND a.id = t.agent_id)
    ORDER BY t.id
),
new AS (
    INSERT INTO ibex.session_turns (
        org_id, id, agent_id, session_id, token_id, user_id, at, operation, provider, model, model_served,
        streamed, status, outcome, error_code, finish_reason, attempts, request_bytes, request_sha256,
        response_bytes, response_sha256, input_tokens, cached_tokens, output_tokens, usage_source,
        overhead_ms, first_byte_ms, latency_ms
    )
    SELECT
        %(org_id)s, id, agent_id, session_id, token_id, user_id, at, operation, provider, model, model_served,
        streamed, status, outcome, error_code, finish_reason, attempts, request_bytes,
        decode(request_sha256, 'hex'), response_bytes, decode(response_sha256, 'hex'), input_tokens,
        cached_tokens, output_tokens, usage_source, overhead_ms, first_byte_ms, latency_ms
    FROM told
    ON CONFLICT (org_id, id) DO NOTHING
    RETURNING id, agent_id, session_id, user_id, at
),
held AS (
    INSERT INTO ibex.sessions AS s (org_id, agent_id, id, user_id, turns, started_at, last_turn_at)
    SELECT
        %(org_id)s,
        agent_id,
        session_id,
        (array_agg(user_id ORDER BY at DESC) FILTER (WHERE user_id IS NOT NULL))[1],
        count(*),
        min(at),
        max(at)
    FROM new
    WHERE session_id IS NOT NULL
    GROUP BY agent_id, session_id
    ORDER BY agent_id, session_id
    ON CONFLICT (org_id, agent_id, id) DO UPDATE SET
        status = 'active',
        user_id = coalesce(excluded.user_id, s.user_id),
        turns = s.turns + excluded.turns,
        last_turn_at = greatest(s.last_turn_at, excluded.last_turn_at)
),
used AS (
    INSERT INTO ibex.usage_days AS u (
        org_id, day, agent_id, model, calls, errors, input_tokens, cached_tokens, output_tokens, cost_nano_usd
    )
    SELECT
        %(org_id)s,
        (at AT TIME ZONE 'UTC')::date,
        agent_id,
        model,
        count(*),
        count(*) FILTER (WHERE outcome IN ('failed', 'broken')),
        coalesce(sum(input_tokens), 0),
        coalesce(sum(cached_tokens), 0),
        coalesce(sum(output_tokens), 0),
        coalesce(sum(cost_nano_usd), 0)
    FROM told
    WHERE id IN (SELECT id FROM new)
    GROUP BY 2, 3, 4
    ON CONFLICT (org_id, day, agent_id, model) DO UPDATE SET
        calls = u.calls + excluded.calls,
        errors = u.errors + excluded.errors,
        input_tokens = u.input_tokens + excluded.input_tokens,
        cached_tokens = u.cached_tokens + excluded.cached_tokens,
        output_tokens = u.output_tokens + excluded.output_tokens,
        cost_nano_usd = u.cost_nano_usd + excluded.cost_nano_usd
)
SELECT t.id, n.id IS NOT NULL AS is_new FROM told AS t LEFT JOIN new AS n USING (id)
"""

_COLUMNS = (
    "id",
    "agent_id",
    "session_id",
    "token_id",
    "user_id",
    "at",
    "operation",
    "provider",
    "model",
    "model_served",
    "streamed",
    "status",
    "outcome",
    "error_code",
    "finish_reason",
    "attempts",
    "request_bytes",
    "request_sha256",
    "response_bytes",
    "response_sha256",
    "input_tokens",
    "cached_tokens",
    "output_tokens",
    "usage_source",
    "overhead_ms",
    "first_byte_ms",
    "latency_ms",
    "cost_nano_usd",
)


async def count(
    connection: psycopg.AsyncConnection[Any], org_id: UUID, traces: Sequence[Trace]
) -> dict[UUID, bool]:
    """Write the turns of one organization and what follows from them, up to the end of the transaction.

    Returns whether each is new; those that are not among them are of agents that are gone.
    """
    rows = [{name: getattr(trace, name) for name in _COLUMNS} for trace in traces]
    await connection.execute(_ALONE, (str(org_id),))
    cursor = await connection.execute(_COUNT, {"org_id": org_id, "traces": orjson.dumps(rows).decode()})
    return dict(await cursor.fetchall())
