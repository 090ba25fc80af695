"""Who is calling, once the token has been checked."""

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Self
from uuid import UUID

from ibex.auth.permissions import NO_RIGHT, Permission, PlatformRight, permission_labels, platform_labels
from ibex.errors import ErrorCode, IbexError
from ibex.http import Network


@dataclass(frozen=True, slots=True)
class Principal:
    """A verified token: the organization it belongs to, and what it may do from where.

    `permissions` are those of the token that the role of its user, if it has one, allows as well.
    `bound_agent_id` is the only agent that it may act for.
    """

    org_id: UUID
    token_id: UUID
    permissions: Permission
    platform: PlatformRight = NO_RIGHT
    user_id: UUID | None = None
    bound_agent_id: UUID | None = None
    allowed_networks: tuple[Network, ...] = ()
    expires_at: datetime | None = None
    allows_caller_keys: bool = False

    def require(self, needed: Permission) -> None:
        """Raise INSUFFICIENT_PERMISSIONS, naming what is missing, unless every bit is held."""
        missing = needed ^ (needed & self.permissions)
        if missing:
            raise _insufficient(permission_labels(missing))

    def require_platform(self, needed: PlatformRight) -> None:
        """The same for rights over the installation."""
        missing = needed ^ (needed & self.platform)
        if missing:
            raise _insufficient(platform_labels(missing))


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentPrincipal(Principal):
    """A principal that acts as an agent, which is active and the token's to use."""

    agent_id: UUID
    agent_slug: str

    @classmethod
    def of(cls, principal: Principal, agent_id: UUID, agent_slug: str) -> Self:
        known = {field.name: getattr(principal, field.name) for field in fields(Principal)}
        return cls(**known, agent_id=agent_id, agent_slug=agent_slug)


def _insufficient(labels: list[str]) -> IbexError:
    return IbexError(
        ErrorCode.INSUFFICIENT_PERMISSIONS,
        "The token lacks a permission that this call needs.",
        detail=f"Missing: {', '.join(labels)}.",
    )
