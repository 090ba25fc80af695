"""What a limiter is asked and what it answers."""

from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from ibex.auth.principal import Principal
from ibex.errors import ErrorCode, IbexError

Scope = Literal["token", "agent", "organization"]


@dataclass(frozen=True, slots=True)
class RateLimit:
    """At most `per_minute` requests in any 60 seconds for one token, agent or organization."""

    scope: Scope
    id: UUID
    per_minute: int


@dataclass(frozen=True, slots=True)
class RateLimits:
    """Requests per minute of each scope."""

    token_rpm: int
    agent_rpm: int
    organization_rpm: int

    def of(self, principal: Principal) -> tuple[RateLimit, ...]:
        """The limits a caller is under, narrowest first."""
        return (
            RateLimit("token", principal.token_id, self.token_rpm),
            RateLimit("agent", principal.agent_id, self.agent_rpm),
            RateLimit("organization", principal.org_id, self.organization_rpm),
        )


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
