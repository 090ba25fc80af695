"""Who may ask, and how often."""

from ibex.auth import Permission, Principal, RateLimiter, RateLimits, TokenValidator, token_id
from ibex.errors import IbexError
from ibex.proxy.call import Progress
from ibex.proxy.reply import Reply
from ibex.proxy.request import RequestHeaders
from ibex.telemetry import Instruments


class Admission:
    """The two checks that every call goes through."""

    def __init__(
        self,
        validator: TokenValidator,
        limiter: RateLimiter,
        rate_limits: RateLimits,
        instruments: Instruments,
    ) -> None:
        self._validator = validator
        self._limiter = limiter
        self._rate_limits = rate_limits
        self._instruments = instruments

    async def authenticate(
        self, headers: RequestHeaders, permissions: Permission, progress: Progress
    ) -> Principal:
        """The caller, who holds all of `permissions`. Raises the 401, 403 and 503 of authentication.

        Who it was, or was meant to be, is noted before anything is refused, unless it was said twice: that is
        a VALIDATION_ERROR.
        """
        headers.refuse_repeated()
        token = ""
        try:
            token = headers.bearer_token()
            principal = await self._validator.authenticate(token, headers.agent())
            progress.principal, progress.token_id = principal, principal.token_id
            principal.require(permissions)
        except IbexError:
            progress.token_id = token_id(token)
            self._instruments.auth_refusals.add()
            raise
        return principal

    async def limit(self, principal: Principal, reply: Reply) -> None:
        """Count the call and tell the client where it stands. Raises RATE_LIMITED."""
        verdict = await self._limiter.check(principal.org_id, self._rate_limits.of(principal))
        reply.add_headers(verdict.headers())
        if verdict.is_local:
            self._instruments.judged_locally.add()
        if not verdict.admitted:
            raise verdict.refusal()
