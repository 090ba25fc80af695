"""A new team's organization, with all that it needs for its first call."""

from dataclasses import dataclass
from uuid import UUID

from ibex.auth import audit
from ibex.auth.actor import Actor
from ibex.auth.agents import repository as agents
from ibex.auth.audit import AuditEvent
from ibex.auth.organizations.repository import Organization
from ibex.auth.organizations.service import OrganizationService
from ibex.auth.permissions import ALL, Grant
from ibex.auth.tokens import secret
from ibex.auth.tokens.request import TokenRequest
from ibex.auth.tokens.service import IssuedToken, TokenService
from ibex.auth.users.email import checked_email
from ibex.auth.users.service import UserService
from ibex.ids import uuid7

_AGENT_NAME, _AGENT_SLUG = "Default", "default"
_TOKEN_NAME = "Administrator"  # noqa: S105


@dataclass(frozen=True, slots=True)
class Founded:
    """`token` may do everything in the organization; it belongs to the owner, when one was named."""

    organization: Organization
    agent_id: UUID
    owner_id: UUID | None
    token: IssuedToken


class Founding:
    """Makes an organization, its first agent, owner and token, all of them or none.

    The first token is the one that may do more than its creator: whoever makes an organization decides who
    administers it, and takes nothing from anybody. It has no right over the installation.
    """

    def __init__(self, organizations: OrganizationService, users: UserService, tokens: TokenService) -> None:
        self._organizations = organizations
        self._users = users
        self._tokens = tokens

    async def found(
        self, actor: Actor, name: str, slug: str | None = None, owner_email: str | None = None
    ) -> Founded:
        """Raises VALIDATION_ERROR when a field is malformed, CONFLICT when the slug is taken."""
        org_id, agent_id, token = uuid7(), uuid7(), secret.generate(uuid7())
        owner_email = None if owner_email is None else checked_email(owner_email, "owner_email")
        owner_id = uuid7() if owner_email is not None else None
        there = actor.within(org_id)
        async with self._organizations.adding(there, name, slug) as connection:
            await agents.insert(connection, org_id, agent_id, _AGENT_SLUG, _AGENT_NAME, "", {})
            await audit.record(connection, AuditEvent.of(there, "agent.create", agent_id, slug=_AGENT_SLUG))
            if owner_id is not None and owner_email is not None:
                await self._users.add(connection, there, owner_id, owner_email, "", "owner")
            request = TokenRequest(_TOKEN_NAME, Grant(ALL), default_agent_id=agent_id, user_id=owner_id)
            await self._tokens.add(connection, there, request, token)
        return Founded(
            organization=await self._organizations.get(org_id),
            agent_id=agent_id,
            owner_id=owner_id,
            token=await self._tokens.issued(org_id, token),
        )
