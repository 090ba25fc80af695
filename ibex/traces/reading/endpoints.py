"""`/v1/traces`."""

from collections.abc import AsyncIterator
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path
from starlette.responses import StreamingResponse

from ibex.auth import Actor, Permission
from ibex.auth.access import Access
from ibex.auth.agents.ownership import Agents, agent_of
from ibex.rest import Page, Single, paginated
from ibex.traces.reading.cursors import cursor_of, position_of
from ibex.traces.reading.exporting import as_csv, as_jsonl
from ibex.traces.reading.figure_views import (
    CostsView,
    CostView,
    LatencyView,
    MemoryUseView,
    OverviewView,
    StepTimeView,
)
from ibex.traces.reading.schemas import (
    TraceExportQuery,
    TraceListQuery,
    TraceOverviewQuery,
    TraceQuery,
    TracesQuery,
)
from ibex.traces.reading.service import TraceReading
from ibex.traces.reading.views import TraceView
from ibex.traces.store import Position, Selection

_JSON_LINES, _CSV = "application/x-ndjson", "text/csv; charset=utf-8"
_EXPORTED = {
    _JSON_LINES: {
        "schema": {"type": "string"},
        "example": '{"id": "01a20747-50c2-7a10-8d21-5f0b6c9e1a34"}\n',
    },
    "text/csv": {"schema": {"type": "string"}, "example": "id,trace_id,at\r\n"},
}

TraceId = Annotated[
    UUID, Path(description="`X-Request-ID` or `X-Trace-ID` of an answer.", examples=[str(UUID(int=0))])
]


class Exported(StreamingResponse):
    """Lines, as they are read."""

    media_type = _JSON_LINES


def router(traces: TraceReading, access: Access, agents: Agents) -> APIRouter:
    """Those with fixed paths come first."""
    router = APIRouter(prefix="/v1/traces", tags=["traces"])
    reader = Depends(access.requires(Permission.TRACE_READ))
    exporter = Depends(access.requires(Permission.TRACE_READ | Permission.TRACE_EXPORT))

    async def chosen(actor: Actor, query: TraceQuery) -> Selection:
        agent_id = None if query.agent_id is None else await agent_of(agents, actor, query.agent_id)
        return query.selection(agent_id)

    @router.get("")
    async def list_traces(query: TraceListQuery, actor: Actor = reader) -> Page[TraceView]:
        """List calls, the newest first.

        A call is there within some seconds of its answer.
        """
        after = position_of(actor.org_id, query.cursor)
        found = await traces.page(actor, await chosen(actor, query), after, query.limit + 1)
        return paginated(
            found,
            query.limit,
            TraceView.of,
            key=lambda trace: cursor_of(actor.org_id, Position(trace.at, trace.id)),
        )

    @router.get("/overview")
    async def get_overview(query: TraceOverviewQuery, actor: Actor = reader) -> Single[OverviewView]:
        """Get calls, errors, tokens, cost and latency, together and by time."""
        total, spans = await traces.overview(actor, await chosen(actor, query), query.bucket)
        return Single(data=OverviewView.of(total, spans))

    @router.get("/latency")
    async def get_latency(query: TracesQuery, actor: Actor = reader) -> Single[LatencyView]:
        """Get how long each step takes."""
        steps = await traces.latency(actor, await chosen(actor, query))
        return Single(data=LatencyView(steps=[StepTimeView.of(step) for step in steps]))

    @router.get("/costs")
    async def get_costs(query: TracesQuery, actor: Actor = reader) -> Single[CostsView]:
        """Get what was spent, by agent and model."""
        costs = await traces.costs(actor, await chosen(actor, query))
        return Single(data=CostsView(costs=[CostView.of(cost) for cost in costs]))

    @router.get("/memory")
    async def get_memory_use(query: TracesQuery, actor: Actor = reader) -> Single[MemoryUseView]:
        """Get how often calls are told memories, how many, and how long that takes."""
        return Single(data=MemoryUseView.of(await traces.memory(actor, await chosen(actor, query))))

    @router.get("/export", response_class=Exported, responses={200: {"content": _EXPORTED}})
    async def export_traces(query: TraceExportQuery, actor: Actor = exporter) -> Exported:
        """Export calls, the newest first, as a table or as lines of JSON."""
        pages = await traces.export(actor, await chosen(actor, query))
        is_table = query.format == "csv"
        lines: AsyncIterator[bytes] = as_csv(pages) if is_table else as_jsonl(pages)
        return Exported(
            lines,
            media_type=_CSV if is_table else _JSON_LINES,
            headers={"Content-Disposition": f'attachment; filename="traces.{query.format}"'},
        )

    @router.get("/{trace_id}")
    async def get_trace(trace_id: TraceId, actor: Actor = reader) -> Single[TraceView]:
        """Get one call, by the id of its request or of its trace.

        It is there within some seconds of the answer.
        """
        return Single(data=TraceView.of(await traces.get(actor, trace_id)))

    return router
