"""`/v1/drift`."""

from collections.abc import Sequence
from uuid import UUID

from fastapi import APIRouter, Depends

from ibex.auth.access import Access
from ibex.auth.actor import Actor
from ibex.auth.agents.ownership import Agents, agent_of
from ibex.auth.permissions import Permission
from ibex.drift.schemas import (
    AlertsQuery,
    BaselinesQuery,
    FingerprintsQuery,
    NewBaseline,
    OptionalAgent,
    Reset,
    Resolution,
)
from ibex.drift.service import DriftService
from ibex.drift.views import (
    AlertView,
    BaselineView,
    FingerprintList,
    FingerprintView,
    WatchedList,
    WatchedView,
)
from ibex.rest import Page, Single, paginated


def routers(drift: DriftService, access: Access, agents: Agents) -> Sequence[APIRouter]:
    """To read takes `trace:read`; to change what is watched, the right to change agents."""
    return (
        _behaviour(drift, access, agents),
        _baselines(drift, access, agents),
        _alerts(drift, access, agents),
    )


def _behaviour(drift: DriftService, access: Access, agents: Agents) -> APIRouter:
    router = APIRouter(prefix="/v1/drift", tags=["drift"])
    reader = Depends(access.requires(Permission.TRACE_READ))

    @router.get("")
    async def list_watched_agents(agent_id: OptionalAgent = None, actor: Actor = reader) -> WatchedList:
        """List what is watched: agents with the versions of their directives."""
        whose = None if agent_id is None else await agent_of(agents, actor, agent_id)
        return WatchedList(data=[WatchedView.of(each) for each in await drift.overview(actor, whose)])

    @router.get("/fingerprints")
    async def list_fingerprints(query: FingerprintsQuery, actor: Actor = reader) -> Page[FingerprintView]:
        """List how an agent behaved, every ten calls, in their order."""
        agent_id = await agent_of(agents, actor, query.agent_id)
        found = await drift.fingerprints(
            actor, agent_id, query.directive_number, query.cursor, query.limit + 1
        )
        return paginated(found, query.limit, FingerprintView.of, key=lambda each: each.id)

    @router.get("/fingerprints/latest")
    async def get_latest_fingerprints(
        agent_id: OptionalAgent = None, actor: Actor = reader
    ) -> FingerprintList:
        """Get how an agent behaves now, with each version of its directive."""
        found = await drift.latest_fingerprints(actor, await agent_of(agents, actor, agent_id))
        return FingerprintList(data=[FingerprintView.of(each) for each in found])

    return router


def _baselines(drift: DriftService, access: Access, agents: Agents) -> APIRouter:
    router = APIRouter(prefix="/v1/drift/baselines", tags=["drift"])
    reader = Depends(access.requires(Permission.TRACE_READ))
    settler = Depends(access.requires(Permission.ORGANIZATION_SETTINGS))

    @router.get("")
    async def list_baselines(query: BaselinesQuery, actor: Actor = reader) -> Page[BaselineView]:
        """List baselines in the order of their creation, those included that are in use no more."""
        whose = None if query.agent_id is None else await agent_of(agents, actor, query.agent_id)
        found = await drift.baselines(actor, whose, query.cursor, query.limit + 1)
        return paginated(found, query.limit, BaselineView.of, key=lambda each: each.id)

    @router.post("", status_code=201)
    async def set_baseline(body: NewBaseline, actor: Actor = settler) -> Single[BaselineView]:
        """Compare an agent with its last calls from now on, or with those of some time.

        An alert that is not settled is resolved.
        """
        agent_id = await agent_of(agents, actor, body.agent_id)
        stored = await drift.set_baseline(
            actor, agent_id, body.directive_number, body.calls, body.since, body.until
        )
        return Single(data=BaselineView.of(stored))

    @router.post("/reset", status_code=204)
    async def reset_baseline(body: Reset, actor: Actor = settler) -> None:
        """Learn a baseline anew, from the calls that come. An alert that is not settled is resolved."""
        await drift.reset_baseline(actor, await agent_of(agents, actor, body.agent_id), body.directive_number)

    @router.get("/{baseline_id}")
    async def get_baseline(baseline_id: UUID, actor: Actor = reader) -> Single[BaselineView]:
        """Get a baseline."""
        return Single(data=BaselineView.of(await drift.baseline(actor, baseline_id)))

    return router


def _alerts(drift: DriftService, access: Access, agents: Agents) -> APIRouter:
    router = APIRouter(prefix="/v1/drift/alerts", tags=["drift"])
    reader = Depends(access.requires(Permission.TRACE_READ))
    settler = Depends(access.requires(Permission.ORGANIZATION_SETTINGS))

    @router.get("")
    async def list_drift_alerts(query: AlertsQuery, actor: Actor = reader) -> Page[AlertView]:
        """List alerts in the order in which they were raised."""
        whose = None if query.agent_id is None else await agent_of(agents, actor, query.agent_id)
        found = await drift.alerts(actor, whose, query.status, query.severity, query.cursor, query.limit + 1)
        return paginated(found, query.limit, AlertView.of, key=lambda each: each.id)

    @router.get("/{alert_id}")
    async def get_drift_alert(alert_id: UUID, actor: Actor = reader) -> Single[AlertView]:
        """Get an alert."""
        return Single(data=AlertView.of(await drift.alert(actor, alert_id)))

    @router.post("/{alert_id}/acknowledge")
    async def acknowledge_drift_alert(alert_id: UUID, actor: Actor = settler) -> Single[AlertView]:
        """Say that somebody looks at it. Another is not raised until it is settled."""
        return Single(data=AlertView.of(await drift.acknowledge(actor, alert_id)))

    @router.post("/{alert_id}/resolve")
    async def resolve_drift_alert(
        alert_id: UUID, body: Resolution, actor: Actor = settler
    ) -> Single[AlertView]:
        """Settle it: the cause is gone, or the change is accepted. A paused agent stays paused."""
        return Single(data=AlertView.of(await drift.resolve(actor, alert_id, accept=body.accept)))

    @router.post("/{alert_id}/false-alarm")
    async def dismiss_drift_alert(alert_id: UUID, actor: Actor = settler) -> Single[AlertView]:
        """Settle it as no change. What moved has thresholds 15 % higher from now on, or twice as high."""
        return Single(data=AlertView.of(await drift.false_alarm(actor, alert_id)))

    return router
