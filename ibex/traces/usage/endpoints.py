"""`/v1/usage`."""

from fastapi import APIRouter, Depends

from ibex.auth import Actor, Permission
from ibex.auth.access import Access
from ibex.auth.agents.ownership import Agents, agent_of
from ibex.rest import Single
from ibex.traces.usage.schemas import DayView, UsageDaysQuery, UsageView
from ibex.traces.usage.service import UsageReading


def router(usage: UsageReading, access: Access, agents: Agents) -> APIRouter:
    router = APIRouter(prefix="/v1/usage", tags=["traces"])
    reader = Depends(access.requires(Permission.TRACE_READ))

    @router.get("")
    async def get_usage(query: UsageDaysQuery, actor: Actor = reader) -> Single[UsageView]:
        """Get what was used on each day, by agent and model; it is kept when traces are gone."""
        agent_id = None if query.agent_id is None else await agent_of(agents, actor, query.agent_id)
        days = await usage.days(actor, agent_id, query.model, query.since, query.until)
        return Single(data=UsageView(days=[DayView.of(day) for day in days]))

    return router
