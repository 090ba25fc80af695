"""What a limiter is asked and what it answers."""

from dataclasses import dataclass, field
from typing import Literal
from uuid import UUID

from ibex.auth.principal import AgentPrincipal, Principal
from ibex.errors import ErrorCode, IbexError

Scope = Literal["token", "agent", "organization"]

_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class RateLimit:
    """At most `per_minute` requests in any 60 seconds for one token, agent or organization."""

    scope: Scope
    id: UUID
    per_minute: int
    name: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", f"{self.scope}:{self.id}")


class RateLimits:
    """Requests per minute of each scope."""

    def __init__(self, token_rpm: int, agent_rpm: int, organization_rpm: int) -> None:
        self._token_rpm = token_rpm
        self._agent_rpm = agent_rpm
        self._organization_rpm = organization_rpm
        self._known: dict[tuple[UUID, UUID | None], tuple[RateLimit, ...]] = {}

    def of(self, principal: Principal) -> tuple[RateLimit, ...]:
        """The limits a caller is under, narrowest first."""
        agent_id = principal.agent_id if isinstance(principal, AgentPrincipal) else None
        caller = (principal.token_id, agent_id)
        limits = self._known.get(caller)
        if limits is None:
            of_agent = (RateLimit("agent", agent_id, self._agent_rpm),) if agent_id else ()
            limits = (
                RateLimit("token", principal.token_id, self._token_rpm),
                *of_agent,
                RateLimit("organization", principal.org_id, self._organization_rpm),
            )
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[caller] = limits
        return limits


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer for one request, in terms of the limit with the least left.

    `reset` is the number of seconds until `remaining` begins to grow again.
    """

    admitted: bool
    limit: RateLimit
    remaining: int
    reset: int
    is_local: bool = False

    def headers(self) -> dict[str, str]:
        return {
            "X-RateLimit-Limit": str(self.limit.per_minute),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": str(self.reset),
        }

    def refusal(self) -> IbexError:
        """The error for a request that was not admitted."""
        return IbexError(
            ErrorCode.RATE_LIMITED,
            f"This {self.limit.scope} has reached its limit of {self.limit.per_minute} requests per minute. "
            f"Try again in {self.reset} s.",
            detail=f"limit: {self.limit.scope} requests per minute",
            headers={"Retry-After": str(self.reset)},
        )
