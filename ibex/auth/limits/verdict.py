"""What a limiter answers."""

from dataclasses import dataclass

from ibex.auth.limits.limit import DIMENSION_NAMES, Limit
from ibex.auth.limits.scope import SCOPE_NAMES
from ibex.errors import ErrorCode, IbexError


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer for one request, in terms of one limit: the tightest, or the one that refuses longest.

    `remaining` is after this request. `reset` is the number of seconds until there will be more, or, for one
    that is refused, until there will be enough; None when there never will be.
    """

    admitted: bool
    limit: Limit
    remaining: int
    reset: int | None
    is_local: bool = False

    def headers(self) -> dict[str, str]:
        limit = self.limit
        return {
            "X-RateLimit-Limit": str(limit.most),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": str(60 if self.reset is None else self.reset),
            "X-RateLimit-Scope": f"{limit.scope}; {limit.dimension}",
        }

    def refusal(self, tokens: int = 0) -> IbexError:
        """The error for a request that was not admitted, and that was estimated at so many tokens."""
        limit = self.limit
        scope, dimension = SCOPE_NAMES[limit.scope], DIMENSION_NAMES[limit.dimension]
        headers = {"Retry-After": str(self.reset)}
        if self.reset is not None:
            message = (
                f"This {scope} has reached its limit of {limit.most} {dimension}. "
                f"Try again in {self.reset} s."
            )
        else:
            # The official clients would try again by themselves.
            headers = {"X-Should-Retry": "false"}
            if limit.most == 0:
                message = f"This {scope} is allowed no {dimension} at all."
            else:
                message = (
                    f"This request may use {tokens} tokens, and this {scope} is limited to {limit.most} "
                    "tokens per minute: it can never be admitted. Make it shorter, or lower `max_tokens`."
                )
        return IbexError(
            ErrorCode.RATE_LIMITED, message, detail=f"limit: {scope} {dimension}", headers=headers
        )
