"""`/v1/directives`."""

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from ibex.auth.access import Access
from ibex.auth.actor import Actor
from ibex.auth.agents.ownership import Agents, agent_of
from ibex.auth.permissions import Permission
from ibex.context.directives.schemas import (
    AgentQuery,
    DirectivesQuery,
    NewDirective,
    Promotion,
    Rollback,
)
from ibex.context.directives.service import DirectiveService
from ibex.context.directives.views import DifferenceView, DirectiveView, EntryView, RolloutView
from ibex.rest import Page, Single, paginated

Against = Annotated[UUID | None, Query(description="Another version; the one before it if left out.")]


def routers(directives: DirectiveService, access: Access, agents: Agents) -> Sequence[APIRouter]:
    """Those with fixed paths come first."""
    return _many_router(directives, access, agents), _one_router(directives, access)


def _many_router(directives: DirectiveService, access: Access, agents: Agents) -> APIRouter:
    router = APIRouter(prefix="/v1/directives", tags=["directives"])
    reader = Depends(access.requires(Permission.DIRECTIVE_READ))
    writer = Depends(access.requires(Permission.DIRECTIVE_WRITE))
    promoter = Depends(access.requires(Permission.DIRECTIVE_PROMOTE))

    @router.post("", status_code=201)
    async def create_directive(body: NewDirective, actor: Actor = writer) -> Single[DirectiveView]:
        """Create a version of an agent's directive. Its text never changes."""
        created = await directives.create(
            actor,
            await agent_of(agents, actor, body.agent_id),
            body.content,
            body.mode,
            body.change_summary,
            submit=body.submit,
        )
        return Single(data=DirectiveView.of(created))

    @router.get("")
    async def list_directives(query: DirectivesQuery, actor: Actor = reader) -> Page[EntryView]:
        """List versions without their texts, in the order of their creation."""
        agent_id = None if query.agent_id is None else await agent_of(agents, actor, query.agent_id)
        found = await directives.page(actor, agent_id, query.status, query.cursor, query.limit + 1)
        return paginated(found, query.limit, EntryView.of, key=lambda entry: entry.id)

    @router.get("/rollout")
    async def get_directive_rollout(
        agent_id: AgentQuery = None, actor: Actor = reader
    ) -> Single[RolloutView]:
        """Get which versions the sessions of an agent have: active, being rolled out, kept."""
        found = await directives.rollout(actor, await agent_of(agents, actor, agent_id))
        return Single(data=RolloutView.of(found))

    @router.post("/rollback")
    async def roll_back_directive(body: Rollback, actor: Actor = promoter) -> Single[DirectiveView]:
        """Make an earlier version of an agent active again, for running sessions too."""
        agent_id = await agent_of(agents, actor, body.agent_id)
        return Single(data=DirectiveView.of(await directives.roll_back(actor, agent_id, body.to)))

    return router


def _one_router(directives: DirectiveService, access: Access) -> APIRouter:
    router = APIRouter(prefix="/v1/directives/{directive_id}", tags=["directives"])
    reader = Depends(access.requires(Permission.DIRECTIVE_READ))
    writer = Depends(access.requires(Permission.DIRECTIVE_WRITE))
    promoter = Depends(access.requires(Permission.DIRECTIVE_PROMOTE))
    revoker = Depends(access.requires(Permission.DIRECTIVE_REVOKE))

    @router.get("")
    async def get_directive(directive_id: UUID, actor: Actor = reader) -> Single[DirectiveView]:
        """Get a version with its text."""
        return Single(data=DirectiveView.of(await directives.get(actor, directive_id)))

    @router.get("/diff")
    async def compare_directives(
        directive_id: UUID, against: Against = None, actor: Actor = reader
    ) -> Single[DifferenceView]:
        """Get what a version says that another version of the agent does not, as a unified diff."""
        return Single(data=DifferenceView.of(await directives.compare(actor, directive_id, against)))

    @router.post("/submit")
    async def submit_directive(directive_id: UUID, actor: Actor = writer) -> Single[DirectiveView]:
        """Ask for a draft to be looked at."""
        return Single(data=DirectiveView.of(await directives.submit(actor, directive_id)))

    @router.post("/promote")
    async def promote_directive(
        directive_id: UUID, body: Promotion, actor: Actor = promoter
    ) -> Single[DirectiveView]:
        """Make a version the active one, or roll it out to a share of the sessions.

        The share of a rollout is changed by promoting again; 1 finishes it.
        """
        promoted = await directives.promote(actor, directive_id, body.share, at_once=body.at_once)
        return Single(data=DirectiveView.of(promoted))

    @router.post("/abort")
    async def abort_directive_rollout(directive_id: UUID, actor: Actor = promoter) -> Single[DirectiveView]:
        """End a rollout. Sessions that have the version leave it at once."""
        return Single(data=DirectiveView.of(await directives.abort(actor, directive_id)))

    @router.post("/revoke")
    async def revoke_directive(directive_id: UUID, actor: Actor = revoker) -> Single[DirectiveView]:
        """Never use a version again. Sessions that have it leave it within a second.

        In the place of the active one comes the one that was active before it, if there is one.
        """
        return Single(data=DirectiveView.of(await directives.revoke(actor, directive_id)))

    return router
