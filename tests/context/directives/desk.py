"""Somebody who writes directives, through the same service as the REST interface."""

from dataclasses import dataclass
from uuid import UUID

from ibex.auth import Actor, AgentPrincipal, Permission
from ibex.context.directives import Directive, DirectiveService
from ibex.ids import uuid7
from tests.operator import Operator


@dataclass(slots=True)
class Desk:
    """One agent of one organization, and what can be done to its directives."""

    operator: Operator
    directives: DirectiveService
    actor: Actor
    agent_id: UUID

    @classmethod
    async def of(cls, operator: Operator, org_id: UUID, slug: str = "helper") -> "Desk":
        agent = await operator.agent(org_id, slug)
        service = DirectiveService(operator.postgres, operator.administration.changes)
        return cls(operator, service, operator.actor(org_id), agent.id)

    @property
    def principal(self) -> AgentPrincipal:
        return AgentPrincipal(
            org_id=self.actor.org_id,
            token_id=uuid7(),
            permissions=Permission.SESSION_CREATE,
            agent_id=self.agent_id,
            agent_slug="helper",
        )

    async def written(self, content: str = "Be brief.", *, submit: bool = True) -> Directive:
        """A new version, in review."""
        return await self.directives.create(self.actor, self.agent_id, content, submit=submit)

    async def active(self, content: str = "Be brief.", *, at_once: bool = False) -> Directive:
        """A new version that has become the active one."""
        written = await self.written(content)
        return await self.directives.promote(self.actor, written.id, at_once=at_once)

    async def rolled_out(self, content: str, share: float) -> Directive:
        """A new version that a share of the sessions gets."""
        written = await self.written(content)
        return await self.directives.promote(self.actor, written.id, share)

    async def status(self, directive: Directive) -> str:
        return (await self.directives.get(self.actor, directive.id)).status

    async def active_number(self) -> int | None:
        found = await self.directives.rollout(self.actor, self.agent_id)
        return found.active.number if found.active else None
