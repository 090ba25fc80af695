"""Which agent is meant, and whether it is the actor's to touch."""

from typing import Protocol
from uuid import UUID

from ibex.auth.actor import Actor
from ibex.auth.names import as_uuid
from ibex.errors import ErrorCode, IbexError


class Identified(Protocol):
    @property
    def id(self) -> UUID: ...


class Agents(Protocol):
    """Where agents are found by id or slug."""

    async def resolve(self, org_id: UUID, reference: str) -> Identified:
        """Raises ACCESS_DENIED when the organization has no such agent."""
        ...


async def agent_of(agents: Agents, actor: Actor, reference: str | None) -> UUID:
    """The agent that is meant: by id or slug, or the one that the token is bound to.

    Raises MISSING_AGENT_ID, ACCESS_DENIED, and AGENT_NOT_AUTHORIZED for another one than the token's.
    """
    if reference is None:
        if actor.agent_id is None:
            raise IbexError(
                ErrorCode.MISSING_AGENT_ID,
                "Say which agent is meant: the token is bound to none, and there is no `agent_id`.",
                param="agent_id",
            )
        return actor.agent_id
    if actor.agent_id is not None and as_uuid(reference) == actor.agent_id:
        return actor.agent_id
    agent = await agents.resolve(actor.org_id, reference)
    check_owner(actor, agent.id)
    return agent.id


def check_owner(actor: Actor, agent_id: UUID) -> None:
    """Raises AGENT_NOT_AUTHORIZED when the token is bound to another agent."""
    if actor.agent_id not in (None, agent_id):
        raise IbexError(ErrorCode.AGENT_NOT_AUTHORIZED, "The token is bound to another agent.")
