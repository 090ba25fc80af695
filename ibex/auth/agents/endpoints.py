"""`/v1/agents`."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path

from ibex.auth.access import Access
from ibex.auth.actor import Actor
from ibex.auth.agents.schemas import AgentChange, AgentView, NewAgent
from ibex.auth.agents.service import AgentService
from ibex.auth.permissions import Permission
from ibex.rest import Page, PageQuery, Single, paginated

Reference = Annotated[str, Path(description="The agent's id or slug.")]


def router(agents: AgentService, access: Access) -> APIRouter:
    router = APIRouter(prefix="/v1/agents", tags=["agents"])
    reader = Depends(access.requires())
    manager = Depends(access.requires(Permission.ORGANIZATION_SETTINGS))

    @router.post("", status_code=201)
    async def create_agent(body: NewAgent, actor: Actor = manager) -> Single[AgentView]:
        """Create an agent."""
        agent = await agents.create(actor, body.name, body.slug, body.description, body.config)
        return Single(data=AgentView.of(agent))

    @router.get("")
    async def list_agents(page: PageQuery, actor: Actor = reader) -> Page[AgentView]:
        """List agents, in the order of their creation."""
        found = await agents.page(actor.org_id, page.cursor, page.limit + 1)
        return paginated(found, page.limit, AgentView.of, key=lambda agent: agent.id)

    @router.get("/{agent_id}")
    async def get_agent(agent_id: Reference, actor: Actor = reader) -> Single[AgentView]:
        """Get an agent."""
        return Single(data=AgentView.of(await agents.resolve(actor.org_id, agent_id)))

    @router.patch("/{agent_id}")
    async def change_agent(
        agent_id: Reference, body: AgentChange, actor: Actor = manager
    ) -> Single[AgentView]:
        """Change an agent's name, description or configuration."""
        found = await agents.resolve(actor.org_id, agent_id)
        changed = await agents.update(
            actor, found.id, name=body.name, description=body.description, config=body.config
        )
        return Single(data=AgentView.of(changed))

    @router.post("/{agent_id}/pause")
    async def pause_agent(agent_id: Reference, actor: Actor = manager) -> Single[AgentView]:
        """Refuse an agent's calls until it is resumed.

        Every process does so within a second.
        """
        found = await agents.resolve(actor.org_id, agent_id)
        return Single(data=AgentView.of(await agents.pause(actor, found.id)))

    @router.post("/{agent_id}/resume")
    async def resume_agent(agent_id: Reference, actor: Actor = manager) -> Single[AgentView]:
        """Let a paused agent call again."""
        found = await agents.resolve(actor.org_id, agent_id)
        return Single(data=AgentView.of(await agents.resume(actor, found.id)))

    return router
