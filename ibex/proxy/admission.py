"""Who may ask, and how often."""

from ibex.auth import AgentPrincipal, Permission, RateLimiter, RateLimits, Refused, TokenValidator, token_id
from ibex.errors import IbexError
from ibex.proxy.call import Progress
from ibex.proxy.reply import Reply
from ibex.proxy.request import Request
from ibex.telemetry import Instruments


class Admission:
    """The two checks that every call goes through."""

    def __init__(
        self,
        validator: TokenValidator,
        limiter: RateLimiter,
        rate_limits: RateLimits,
        instruments: Instruments,
        refused: Refused,
    ) -> None:
        self._validator = validator
        self._limiter = limiter
        self._rate_limits = rate_limits
        self._instruments = instruments
        self._refused = refused

    async def authenticate(
        self, request: Request, permissions: Permission, progress: Progress
    ) -> AgentPrincipal:
        """The caller, who holds all of `permissions`. Raises the 401, 403 and 503 of authentication.

        Who it was, or was meant to be, is noted before anything is refused, unless it was said twice: that is
        a VALIDATION_ERROR.
        """
        headers = request.headers
        headers.refuse_repeated()
        token = ""
        try:
            token = headers.bearer_token()
            principal = await self._validator.authenticate_agent(token, headers.agent(), request.client)
            progress.principal, progress.token_id = principal, principal.token_id
            self._require(principal, permissions, request)
        except IbexError:
            progress.token_id = token_id(token)
            self._instruments.auth_refusals.add()
            raise
        return principal

    def _require(self, principal: AgentPrincipal, permissions: Permission, request: Request) -> None:
        try:
            principal.require(permissions)
        except IbexError as error:
            self._refused(principal, error.code, request.client)
            raise

    async def limit(self, principal: AgentPrincipal, reply: Reply) -> None:
        """Count the call and tell the client where it stands. Raises RATE_LIMITED."""
        verdict = await self._limiter.check(principal.org_id, self._rate_limits.of(principal))
        reply.add_headers(verdict.headers())
        if verdict.is_local:
            self._instruments.judged_locally.add()
        if not verdict.admitted:
            raise verdict.refusal()
