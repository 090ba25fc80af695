"""What a look-up means: who the token is, and whether it and its agent may act."""

from dataclasses import dataclass
from uuid import UUID

from ibex.auth.permissions import NO_PERMISSION, NO_RIGHT, Permission, PlatformRight
from ibex.auth.principal import AgentPrincipal, Principal
from ibex.auth.roles import ROLES
from ibex.auth.validation.repository import PrincipalRow
from ibex.errors import ErrorCode, IbexError
from ibex.http import parse_networks


@dataclass(frozen=True, slots=True)
class Judgement:
    """A token whose secret is right. `refusal` stands against it; `agent_refusal` only against its agent.

    `agent_id` is the agent that was looked at, also one that may not act.
    """

    principal: Principal
    refusal: ErrorCode | None
    acting: AgentPrincipal | None
    agent_refusal: ErrorCode | None
    agent_id: UUID | None

    @property
    def subjects(self) -> set[UUID]:
        """The token, and whoever else must not change for this to stay true."""
        principal = self.principal
        every = (
            principal.token_id,
            principal.org_id,
            principal.user_id,
            principal.bound_agent_id,
            self.agent_id,
        )
        return {subject for subject in every if subject is not None}


def judge(row: PrincipalRow, agent: UUID | str | None) -> Judgement:
    """The checks on one look-up, in order of what the caller must mend first."""
    permissions, platform = Permission(row.permissions), PlatformRight(row.platform)
    if row.user_role is not None:
        # A role that only a newer version knows allows nothing here.
        permissions &= ROLES.get(row.user_role, NO_PERMISSION)
        platform = platform if row.user_role == "owner" else NO_RIGHT
    principal = Principal(
        org_id=row.org_id,
        token_id=row.token_id,
        permissions=permissions,
        platform=platform,
        user_id=row.user_id,
        bound_agent_id=row.bound_agent_id,
        allowed_networks=parse_networks(row.allowed_networks),
        expires_at=row.expires_at,
        allows_caller_keys=row.allows_caller_keys,
    )
    agent_refusal = _agent_refusal(row, agent)
    acting = None
    if agent_refusal is None and row.agent_id is not None and row.agent_slug is not None:
        acting = AgentPrincipal.of(principal, row.agent_id, row.agent_slug)
    return Judgement(principal, _token_refusal(row), acting, agent_refusal, row.agent_id)


def _token_refusal(row: PrincipalRow) -> ErrorCode | None:
    if row.is_revoked:
        return ErrorCode.TOKEN_REVOKED
    if row.expires_in is not None and row.expires_in <= 0:
        return ErrorCode.TOKEN_EXPIRED
    if row.org_status != "active":
        return ErrorCode.ORGANIZATION_SUSPENDED
    if row.user_id is not None and row.user_status != "active":
        return ErrorCode.USER_SUSPENDED
    return None


def _agent_refusal(row: PrincipalRow, agent: UUID | str | None) -> ErrorCode | None:
    if row.agent_id is None:
        return ErrorCode.MISSING_AGENT_ID if agent is None else ErrorCode.AGENT_NOT_AUTHORIZED
    if row.bound_agent_id is not None and row.agent_id != row.bound_agent_id:
        return ErrorCode.AGENT_NOT_AUTHORIZED
    if row.agent_status != "active":
        return ErrorCode.AGENT_SUSPENDED
    return None


_MESSAGES = {
    ErrorCode.INVALID_TOKEN: "The token is not valid.",
    ErrorCode.TOKEN_EXPIRED: "The token has expired.",
    ErrorCode.TOKEN_REVOKED: "The token was revoked.",
    ErrorCode.ORGANIZATION_SUSPENDED: "The organization is suspended.",
    ErrorCode.USER_SUSPENDED: "The user whom the token belongs to is suspended.",
    ErrorCode.NETWORK_NOT_ALLOWED: "The token may not be used from this address.",
    ErrorCode.MISSING_AGENT_ID: "The token is not bound to an agent: name one in X-IBEX-Agent-ID.",
    ErrorCode.AGENT_NOT_AUTHORIZED: "The token may not act for this agent.",
    ErrorCode.AGENT_SUSPENDED: "The agent is paused.",
    ErrorCode.AUTH_UNAVAILABLE: "The token cannot be checked at the moment. Try again shortly.",
}


def refusal(code: ErrorCode) -> IbexError:
    """The error for a caller who is refused."""
    if code is ErrorCode.AUTH_UNAVAILABLE:
        return IbexError(code, _MESSAGES[code], headers={"Retry-After": "1"})
    return IbexError(code, _MESSAGES[code], param="X-IBEX-Agent-ID" if "AGENT" in code else None)
