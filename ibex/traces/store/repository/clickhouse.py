"""Traces in ClickHouse, which has no row security: each statement names the organization."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, LiteralString
from uuid import UUID

from ibex.storage import ClickHouse
from ibex.storage.clickhouse_migrations import migrate_clickhouse
from ibex.traces.store.figures import Cost, Expired, MemoryUse, Span, Spread, StepTime
from ibex.traces.store.questions import Position, Selection
from ibex.traces.trace import Trace

_IDS = ("org_id", "id", "agent_id", "token_id", "directive_id")
_COLUMNS = tuple(field.name for field in fields(Trace))
_RETENTION = re.compile(r"toIntervalDay\((\d+)\)")
# As long as a partition.
_WEEK = timedelta(days=7)

# A condition for each field of a `Selection`, added where it says something.
_CONDITIONS: Mapping[str, LiteralString] = {
    "agent_id": "agent_id = {agent_id:UUID}",
    "session_id": "session_id = {session_id:String}",
    "user_id": "user_id = {user_id:String}",
    "model": "model = {model:String}",
    "provider": "provider = {provider:String}",
    "outcome": "outcome = {outcome:String}",
    "statuses": "intDiv(status, 100) = {statuses:UInt8}",
    "error_code": "error_code = {error_code:String}",
    "rung": "rung = {rung:String}",
    "since": "at >= {since:DateTime64(6, 'UTC')}",
    "until": "at < {until:DateTime64(6, 'UTC')}",
    "least_ms": "latency_ms >= {least_ms:Float32}",
}

_CALLS: LiteralString = """
    count() AS calls,
    ifNull(sum(t.input_tokens), 0) AS input_tokens,
    ifNull(sum(t.cached_tokens), 0) AS cached_tokens,
    ifNull(sum(t.output_tokens), 0) AS output_tokens,
    ifNull(sum(t.cost_nano_usd), 0) AS cost_nano_usd,
    countIf(t.cost_nano_usd IS NULL) AS unpriced
"""
_PERCENTILES: LiteralString = "quantilesExactInclusive(0.5, 0.95, 0.99)"
_PERCENTILES_WHERE: LiteralString = "quantilesExactInclusiveIf(0.5, 0.95, 0.99)"
_FROM: LiteralString = " FROM traces AS t FINAL "


class ClickHouseTraces:
    """A `TraceStore`. Rows that were written twice are read as one (`FINAL`)."""

    def __init__(self, clickhouse: ClickHouse) -> None:
        self._clickhouse = clickhouse

    async def insert(self, traces: Mapping[UUID, Sequence[Trace]]) -> None:
        """All at once: it likes few parts. Raises `ClickHouseError` for what it would always refuse."""
        rows = ({**_fields(trace), "org_id": org_id} for org_id, group in traces.items() for trace in group)
        await self._clickhouse.insert("INSERT INTO traces FORMAT JSONEachRow", rows)

    async def page(self, org_id: UUID, chosen: Selection, after: Position | None, limit: int) -> list[Trace]:
        """Of one week first: what comes before is read only where that is not enough."""
        last = after.at if after else chosen.until or datetime.now(UTC)
        week = last - _WEEK
        if chosen.since is not None and chosen.since >= week:
            return await self._page(org_id, chosen, after, limit)
        found = await self._page(org_id, replace(chosen, since=week), after, limit)
        if len(found) == limit:
            return found
        return found + await self._page(org_id, replace(chosen, until=week), after, limit - len(found))

    async def _page(self, org_id: UUID, chosen: Selection, after: Position | None, limit: int) -> list[Trace]:
        where, values = _where(org_id, chosen)
        if after is not None:
            where += """
                AND at <= {after_at:DateTime64(6, 'UTC')}
                AND (at < {after_at:DateTime64(6, 'UTC')} OR id < {after_id:String})
            """
            values |= {"after_at": after.at, "after_id": str(after.id)}
        rows = await self._clickhouse.fetch(
            "SELECT *" + _FROM + where + " ORDER BY at DESC, id DESC LIMIT {limit:UInt32}",
            **values,
            limit=limit,
        )
        return [_trace(row) for row in rows]

    async def find(self, org_id: UUID, reference: UUID, first_of: UUID | None = None) -> Trace | None:
        rows = await self._clickhouse.fetch(
            "SELECT *"
            + _FROM
            + """
            WHERE org_id = {org_id:UUID} AND (id = {id:String} OR trace_id = {trace_id:String})
            ORDER BY id = {id:String} DESC, ifNull(agent_id = {first_of:Nullable(UUID)}, false) DESC, at, id
            LIMIT 1
            """,
            org_id=org_id,
            id=str(reference),
            trace_id=reference.hex,
            first_of=first_of,
        )
        return _trace(rows[0]) if rows else None

    async def overview(self, org_id: UUID, chosen: Selection, seconds: int) -> list[Span]:
        where, values = _where(org_id, chosen)
        rows = await self._clickhouse.fetch(
            """
            SELECT
                intDiv(toUnixTimestamp(at), {seconds:UInt32}) * {seconds:UInt32} AS begins,
                grouping(begins) AS is_all,
                countIf(outcome IN ('failed', 'broken')) AS errors,
            """
            + _PERCENTILES
            + "(latency_ms) AS latency,"
            + _CALLS
            + _FROM
            + where
            + " GROUP BY GROUPING SETS ((), (begins)) ORDER BY is_all DESC, begins",
            **values,
            seconds=seconds,
        )
        return [_span(row) for row in rows]

    async def latency(self, org_id: UUID, chosen: Selection) -> list[StepTime]:
        where, values = _where(org_id, chosen)
        rows = await self._clickhouse.fetch(
            "SELECT step.1 AS step_name, count() AS calls, "
            + _PERCENTILES
            + "(assumeNotNull(step.2)) AS time"
            + _FROM
            + """
            ARRAY JOIN arrayConcat(
                arrayMap((name, ms) -> (toString(name), toNullable(ms)), mapKeys(steps), mapValues(steps)),
                [('overhead', toNullable(overhead_ms)), ('first_byte', first_byte_ms),
                    ('total', toNullable(latency_ms))]
            ) AS step
            """
            + where
            + " AND isNotNull(step.2) GROUP BY step_name ORDER BY step_name",
            **values,
        )
        return [StepTime(row["step_name"], row["calls"], _spread(row["time"])) for row in rows]

    async def costs(self, org_id: UUID, chosen: Selection, limit: int) -> list[Cost]:
        where, values = _where(org_id, chosen)
        rows = await self._clickhouse.fetch(
            "SELECT agent_id, provider, model,"
            + _CALLS
            + _FROM
            + where
            + """
            GROUP BY agent_id, provider, model
            ORDER BY cost_nano_usd DESC, calls DESC, toString(agent_id), provider NULLS FIRST, model
            LIMIT {limit:UInt32}
            """,
            **values,
            limit=limit,
        )
        return [Cost(**{**row, "agent_id": UUID(row["agent_id"])}) for row in rows]

    async def memory(self, org_id: UUID, chosen: Selection) -> MemoryUse:
        where, values = _where(org_id, chosen)
        rows = await self._clickhouse.fetch(
            """
            SELECT
                rung,
                grouping(rung) AS is_all,
                count() AS calls,
                countIf(notEmpty(memory_ids)) AS with_memories,
                sum(length(memory_ids)) AS memories,
            """
            + _PERCENTILES_WHERE
            + "(steps['context'], mapContains(steps, 'context')) AS context"
            + _FROM
            + where
            + " AND isNotNull(rung) GROUP BY GROUPING SETS ((), (rung)) ORDER BY is_all DESC, rung",
            **values,
        )
        everything = rows[0]
        rungs = {row["rung"]: row["calls"] for row in rows[1:]}
        return MemoryUse(
            everything["calls"],
            everything["with_memories"],
            everything["memories"],
            rungs,
            _spread(everything["context"]),
        )

    async def prepare(self) -> None:
        """Its tables; it makes partitions by itself."""
        await migrate_clickhouse(self._clickhouse)

    async def expire(self, days: int, *, dry_run: bool) -> list[Expired]:
        """ClickHouse forgets by itself: its retention is changed where it is not of so many days."""
        if not dry_run:
            await self._keep_for(days)
            return []
        rows = await self._clickhouse.fetch(
            """
            SELECT toMonday(at) AS week, count() AS traces
            FROM traces FINAL
            WHERE at < now() - toIntervalDay({days:UInt32})
            GROUP BY week
            ORDER BY week
            """,
            days=days,
        )
        return [Expired(date.fromisoformat(row["week"]), row["traces"]) for row in rows]

    async def forget(self, org_id: UUID) -> None:
        await self._clickhouse.execute("DELETE FROM traces WHERE org_id = {org_id:UUID}", org_id=org_id)

    async def ping(self) -> None:
        await self._clickhouse.ping()

    async def close(self) -> None:
        await self._clickhouse.close()

    async def _keep_for(self, days: int) -> None:
        [table] = await self._clickhouse.fetch(
            """
            SELECT create_table_query FROM system.tables
            WHERE database = currentDatabase() AND name = 'traces'
            """
        )
        kept = _RETENTION.search(table["create_table_query"])
        if kept is None or int(kept[1]) != days:
            # A parameter would be kept as an expression, which is not the one that is looked for above.
            await self._clickhouse.execute(
                f"ALTER TABLE traces MODIFY TTL toDateTime(at) + toIntervalDay({int(days)})"
            )


def _where(org_id: UUID, chosen: Selection) -> tuple[LiteralString, dict[str, Any]]:
    said = {name: value for name, value in asdict(chosen).items() if value is not None}
    where: LiteralString = " WHERE org_id = {org_id:UUID}"
    for name in said:
        where += " AND " + _CONDITIONS[name]
    return where, {**said, "org_id": org_id}


def _fields(trace: Trace) -> dict[str, Any]:
    return {name: getattr(trace, name) for name in _COLUMNS}


def _trace(row: Mapping[str, Any]) -> Trace:
    ids = {name: None if row[name] is None else UUID(row[name]) for name in _IDS}
    return Trace(
        **{
            **row,
            **ids,
            "at": datetime.fromisoformat(row["at"]),
            "memory_ids": tuple(map(UUID, row["memory_ids"])),
            "tools": tuple(row["tools"]),
        }
    )


def _span(row: Mapping[str, Any]) -> Span:
    return Span(
        begins=None if row["is_all"] else datetime.fromtimestamp(row["begins"], UTC),
        calls=row["calls"],
        errors=row["errors"],
        input_tokens=row["input_tokens"],
        cached_tokens=row["cached_tokens"],
        output_tokens=row["output_tokens"],
        cost_nano_usd=row["cost_nano_usd"],
        unpriced=row["unpriced"],
        latency=_spread(row["latency"]),
    )


def _spread(percentiles: Sequence[float | None]) -> Spread:
    """Of nothing there are none, or they are no numbers."""
    if not percentiles or percentiles[0] is None:
        return Spread(None, None, None)
    return Spread(*percentiles)
