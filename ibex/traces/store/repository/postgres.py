"""Traces in Postgres, in partitions of a week."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, LiteralString
from uuid import UUID

import orjson
from psycopg.rows import dict_row, kwargs_row

from ibex.storage import Postgres
from ibex.traces.store.figures import Cost, Expired, MemoryUse, Span, Spread, StepTime
from ibex.traces.store.questions import Position, Selection
from ibex.traces.trace import Trace

# Weeks for which there is a partition before anything is written into it.
_WEEKS_AHEAD = 4

# A trace of an agent that is gone is none. The columns are named, so that a newer version may add one.
_INSERT: LiteralString = """
INSERT INTO ibex.traces (
    org_id, id, trace_id, at, agent_id, session_id, token_id, user_id, operation, provider, model,
    model_served, provider_fingerprint, client, streamed, status, outcome, error_code, finish_reason,
    attempts, request_bytes, request_sha256, response_bytes, response_sha256, input_tokens, cached_tokens,
    output_tokens, usage_source, cost_nano_usd, steps, overhead_ms, first_byte_ms, latency_ms, rung,
    directive_id, directive_number, memory_ids, answer_chars, tools, refused
)
SELECT
    %(org_id)s, id, trace_id, at, agent_id, session_id, token_id, user_id, operation, provider, model,
    model_served, provider_fingerprint, client, streamed, status, outcome, error_code, finish_reason,
    attempts, request_bytes, decode(request_sha256, 'hex'), response_bytes, decode(response_sha256, 'hex'),
    input_tokens, cached_tokens, output_tokens, usage_source, cost_nano_usd, steps, overhead_ms,
    first_byte_ms, latency_ms, rung, directive_id, directive_number, memory_ids, answer_chars, tools, refused
FROM jsonb_to_recordset(%(traces)s::jsonb) AS t (
    id uuid, trace_id text, at timestamptz, agent_id uuid, session_id text, token_id uuid, user_id text,
    operation text, provider text, model text, model_served text, provider_fingerprint text, client text,
    streamed boolean, status smallint, outcome text, error_code text, finish_reason text, attempts smallint,
    request_bytes bigint, request_sha256 text, response_bytes bigint, response_sha256 text,
    input_tokens integer, cached_tokens integer, output_tokens integer, usage_source text,
    cost_nano_usd bigint, steps jsonb, overhead_ms real, first_byte_ms real, latency_ms real, rung text,
    directive_id uuid, directive_number integer, memory_ids uuid[], answer_chars integer, tools text[],
    refused boolean
)
WHERE EXISTS (SELECT FROM ibex.agents AS a WHERE a.org_id = %(org_id)s AND a.id = t.agent_id)
ON CONFLICT (org_id, at, id) DO NOTHING
"""

_TRACES: LiteralString = """
SELECT
    org_id, id, trace_id, at, agent_id, session_id, token_id, user_id, operation, provider, model,
    model_served, provider_fingerprint, client, streamed, status, outcome, error_code, finish_reason,
    attempts, request_bytes, encode(request_sha256, 'hex') AS request_sha256, response_bytes,
    encode(response_sha256, 'hex') AS response_sha256, input_tokens, cached_tokens, output_tokens,
    usage_source, cost_nano_usd, steps, overhead_ms, first_byte_ms, latency_ms, rung, directive_id,
    directive_number, memory_ids, answer_chars, tools, refused
FROM ibex.traces
"""

# A condition for each field of a `Selection`, added where it says something.
_CONDITIONS: Mapping[str, LiteralString] = {
    "agent_id": "agent_id = %(agent_id)s",
    "session_id": "session_id = %(session_id)s",
    "user_id": "user_id = %(user_id)s",
    "model": "model = %(model)s",
    "provider": "provider = %(provider)s",
    "outcome": "outcome = %(outcome)s",
    "statuses": "status / 100 = %(statuses)s",
    "error_code": "error_code = %(error_code)s",
    "rung": "rung = %(rung)s",
    "since": "at >= %(since)s",
    "until": "at < %(until)s",
    "least_ms": "latency_ms >= %(least_ms)s",
}

_CALLS: LiteralString = """
    count(*) AS calls,
    coalesce(sum(input_tokens), 0)::bigint AS input_tokens,
    coalesce(sum(cached_tokens), 0)::bigint AS cached_tokens,
    coalesce(sum(output_tokens), 0)::bigint AS output_tokens,
    coalesce(sum(cost_nano_usd), 0)::bigint AS cost_nano_usd,
    count(*) FILTER (WHERE cost_nano_usd IS NULL) AS unpriced
"""
_PERCENTILES: LiteralString = "percentile_cont(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY "


class PostgresTraces:
    """A `TraceStore`."""

    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres

    async def insert(self, traces: Mapping[UUID, Sequence[Trace]]) -> None:
        for org_id, group in traces.items():
            await self._postgres.execute(
                org_id, _INSERT, {"org_id": org_id, "traces": orjson.dumps(group).decode()}
            )

    async def page(self, org_id: UUID, chosen: Selection, after: Position | None, limit: int) -> list[Trace]:
        where, values = _where(chosen)
        if after is not None:
            where += " AND (at, id) < (%(after_at)s, %(after_id)s)"
            values |= {"after_at": after.at, "after_id": after.id}
        return await self._postgres.fetch_all(
            org_id,
            _TRACES + where + " ORDER BY at DESC, id DESC LIMIT %(limit)s",
            {**values, "limit": limit},
            row=kwargs_row(_trace),
        )

    async def find(self, org_id: UUID, reference: UUID, first_of: UUID | None = None) -> Trace | None:
        return await self._postgres.fetch_one(
            org_id,
            _TRACES
            + """
            WHERE id = %(id)s OR trace_id = %(trace_id)s
            ORDER BY id = %(id)s DESC, (agent_id = %(first_of)s::uuid) IS TRUE DESC, at, id
            LIMIT 1
            """,
            {"id": reference, "trace_id": reference.hex, "first_of": first_of},
            row=kwargs_row(_trace),
        )

    async def overview(self, org_id: UUID, chosen: Selection, seconds: int) -> list[Span]:
        where, values = _where(chosen)
        return await self._postgres.fetch_all(
            org_id,
            "SELECT date_bin(make_interval(secs => %(seconds)s), at, 'epoch') AS begins,"
            + _CALLS
            + ", count(*) FILTER (WHERE outcome IN ('failed', 'broken')) AS errors, "
            + _PERCENTILES
            + "latency_ms) AS latency FROM ibex.traces "
            + where
            + " GROUP BY GROUPING SETS ((), (begins)) ORDER BY begins NULLS FIRST",
            {**values, "seconds": seconds},
            row=kwargs_row(_span),
        )

    async def latency(self, org_id: UUID, chosen: Selection) -> list[StepTime]:
        where, values = _where(chosen)
        return await self._postgres.fetch_all(
            org_id,
            "SELECT step.name AS step, count(*) AS calls, "
            + _PERCENTILES
            + """step.ms) AS time
            FROM ibex.traces
            CROSS JOIN LATERAL (
                SELECT key AS name, value::real AS ms FROM jsonb_each_text(steps)
                UNION ALL
                VALUES ('overhead', overhead_ms), ('first_byte', first_byte_ms), ('total', latency_ms)
            ) AS step """
            + where
            + " AND step.ms IS NOT NULL GROUP BY step.name ORDER BY step.name",
            values,
            row=kwargs_row(_step_time),
        )

    async def costs(self, org_id: UUID, chosen: Selection, limit: int) -> list[Cost]:
        where, values = _where(chosen)
        return await self._postgres.fetch_all(
            org_id,
            "SELECT agent_id, provider, model,"
            + _CALLS
            + " FROM ibex.traces "
            + where
            + """
            GROUP BY agent_id, provider, model
            ORDER BY cost_nano_usd DESC, calls DESC, agent_id::text, provider NULLS FIRST, model
            LIMIT %(limit)s
            """,
            {**values, "limit": limit},
            row=kwargs_row(Cost),
        )

    async def memory(self, org_id: UUID, chosen: Selection) -> MemoryUse:
        where, values = _where(chosen)
        rows = await self._postgres.fetch_all(
            org_id,
            """
            SELECT
                rung,
                count(*) AS calls,
                count(*) FILTER (WHERE cardinality(memory_ids) > 0) AS with_memories,
                coalesce(sum(cardinality(memory_ids)), 0)::bigint AS memories,
            """
            + _PERCENTILES
            + "(steps ->> 'context')::real) AS context FROM ibex.traces "
            + where
            + " AND rung IS NOT NULL GROUP BY GROUPING SETS ((), (rung)) ORDER BY rung NULLS FIRST",
            values,
            row=dict_row,
        )
        return _memory_use(rows[0], {row["rung"]: row["calls"] for row in rows[1:]})

    async def prepare(self) -> None:
        await self._postgres.execute(None, "SELECT ibex.create_trace_partitions(%s)", (_WEEKS_AHEAD,))

    async def expire(self, days: int, *, dry_run: bool) -> list[Expired]:
        return await self._postgres.fetch_all(
            None,
            "SELECT week, traces FROM ibex.drop_trace_partitions(%s, %s)",
            (days, dry_run),
            row=kwargs_row(Expired),
        )

    async def forget(self, org_id: UUID) -> None:
        """They have gone with their organization, to which their rows refer."""

    async def ping(self) -> None:
        await self._postgres.ping()

    async def close(self) -> None:
        """The pool is closed by whoever has opened it."""


def _where(chosen: Selection) -> tuple[LiteralString, dict[str, Any]]:
    """Row security adds the organization."""
    said = {name: value for name, value in asdict(chosen).items() if value is not None}
    where: LiteralString = "WHERE true"
    for name in said:
        where += " AND " + _CONDITIONS[name]
    return where, said


def _trace(*, memory_ids: Sequence[UUID], tools: Sequence[str], **fields: Any) -> Trace:
    return Trace(memory_ids=tuple(memory_ids), tools=tuple(tools), **fields)


def _span(*, latency: Sequence[float] | None, **fields: Any) -> Span:
    return Span(latency=_spread(latency), **fields)


def _step_time(*, time: Sequence[float] | None, **fields: Any) -> StepTime:
    return StepTime(time=_spread(time), **fields)


def _spread(percentiles: Sequence[float] | None) -> Spread:
    return Spread(*percentiles) if percentiles else Spread(None, None, None)


def _memory_use(row: Mapping[str, Any], rungs: Mapping[str, int]) -> MemoryUse:
    return MemoryUse(row["calls"], row["with_memories"], row["memories"], rungs, _spread(row["context"]))
