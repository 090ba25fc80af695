"""Who may ask, and how often."""

from collections.abc import Callable
from datetime import UTC, datetime

from ibex.auth import (
    AgentPrincipal,
    HeldOff,
    Hold,
    LimitBook,
    LimitSet,
    Permission,
    RateLimiter,
    Refused,
    TokenValidator,
    token_id,
)
from ibex.errors import ErrorCode, IbexError
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
        limit_book: LimitBook,
        instruments: Instruments,
        refused: Refused,
        held_off: HeldOff,
    ) -> None:
        self._validator = validator
        self._limiter = limiter
        self._limit_book = limit_book
        self._instruments = instruments
        self._refused = refused
        self._held_off = held_off

    async def authenticate(
        self, request: Request, permissions: Permission, progress: Progress
    ) -> AgentPrincipal:
        """The caller, who holds all of `permissions`. Raises the 401, 403, 429 and 503 of authentication.

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
            if request.headers.provider_key() is not None and not principal.allows_caller_keys:
                raise IbexError(
                    ErrorCode.CALLER_KEY_NOT_ALLOWED,
                    "The organization does not allow calls with provider keys of their own.",
                    param="X-IBEX-Provider-Key",
                )
        except IbexError as error:
            self._refused(principal, error.code, request.client)
            raise

    async def limit(self, principal: AgentPrincipal, reply: Reply) -> None:
        """Count a request that calls no model, and tell the client where it stands. Raises RATE_LIMITED."""
        await self._check(principal, await self._limit_book.of_request(principal), 0, reply)

    async def limit_call(
        self, principal: AgentPrincipal, end_user: str | None, estimate: Callable[[], int], reply: Reply
    ) -> Hold | None:
        """The same for a call of a model, which gets what it has until it ends.

        `estimate` says how many tokens it may use, and is asked only when they are limited. Raises
        QUOTA_EXCEEDED too.
        """
        under = await self._limit_book.of_call(principal, end_user)
        if under.exhausted is not None:
            under.exhausted.refuse(datetime.now(UTC))
        return await self._check(principal, under, estimate() if under.counts_tokens else 0, reply)

    async def _check(
        self, principal: AgentPrincipal, under: LimitSet, tokens: int, reply: Reply
    ) -> Hold | None:
        verdict, hold = await self._limiter.check(principal.org_id, under, tokens)
        reply.add_headers(verdict.headers())
        if verdict.is_local:
            self._instruments.judged_locally.add()
        if not verdict.admitted:
            self._held_off.add(principal.org_id, verdict.limit)
            raise verdict.refusal(tokens)
        return hold
