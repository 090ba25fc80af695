"""Turns a bearer token into a principal: from this process's cache, else by one look-up in Postgres."""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from uuid import UUID

import psycopg

from ibex.auth import repository, tokens
from ibex.auth.invalidation import Change
from ibex.auth.permissions import Permission
from ibex.auth.principal import Principal
from ibex.auth.repository import PrincipalRow
from ibex.errors import ErrorCode, IbexError
from ibex.storage import DatabaseUnavailableError, Postgres

logger = logging.getLogger(__name__)

_CAPACITY = 10_000
# While no message about changes can arrive, an entry is trusted only this long (seconds).
_TRUST_WITHOUT_FEED = 0.5

# A token's digest and the agent that was named, an id in one spelling only.
_Key = tuple[bytes, UUID | str | None]


@dataclass(frozen=True, slots=True)
class _Entry:
    principal: Principal
    stored_at: float
    fresh_until: float


@dataclass(frozen=True, slots=True)
class _Refusal:
    code: ErrorCode
    fresh_until: float


class TokenValidator:
    """Checks tokens, fails closed, and never serves an entry that is stale.

    Parameters
    ----------
    pepper: the installation's secret under which token hashes are stored.
    cache_seconds: longest life of a cached principal or refusal; a token's own expiry may cut it shorter.
    timeout: seconds a look-up may take before AUTH_UNAVAILABLE.
    feed_is_live: whether changes reach this process at the moment.
    """

    def __init__(
        self,
        postgres: Postgres,
        pepper: bytes,
        *,
        cache_seconds: float,
        timeout: float,
        feed_is_live: Callable[[], bool],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._postgres = postgres
        self._pepper = pepper
        self._cache_seconds = cache_seconds
        self._timeout = timeout
        self._feed_is_live = feed_is_live
        self._clock = clock
        self._entries: dict[_Key, _Entry] = {}
        self._refused: dict[bytes, _Refusal] = {}
        self._lookups: dict[_Key, asyncio.Task[Principal]] = {}
        self._generation = 0

    async def authenticate(self, text: str, agent: str | None) -> Principal:
        """The principal for a token's text and the agent that the request names (id or slug), if any.

        Raises `IbexError`: INVALID_TOKEN, TOKEN_EXPIRED, TOKEN_REVOKED, ORGANIZATION_SUSPENDED,
        MISSING_AGENT_ID, AGENT_NOT_AUTHORIZED, AGENT_SUSPENDED or AUTH_UNAVAILABLE.
        """
        digest = sha256(text.encode()).digest()
        key = (digest, _as_uuid(agent) or agent)
        entry = self._entries.get(key)
        now = self._clock()
        if entry is not None:
            if now < entry.fresh_until and (
                now - entry.stored_at < _TRUST_WITHOUT_FEED or self._feed_is_live()
            ):
                return entry.principal
            del self._entries[key]
        refusal = self._refused.get(digest)
        if refusal is not None:
            if now < refusal.fresh_until:
                raise _refusal(refusal.code)
            del self._refused[digest]
        token = tokens.parse(text)
        if token is None:
            raise _refusal(ErrorCode.INVALID_TOKEN)
        return await self._look_up_once(key, token)

    def forget(self, change: Change | None) -> None:
        """Drop what a change touches; None drops everything. Nobody waits for an older answer from now on."""
        self._generation += 1
        self._lookups.clear()
        if change is None:
            self._entries.clear()
            self._refused.clear()
            return
        touched = [key for key, entry in self._entries.items() if _touches(change, entry.principal)]
        for key in touched:
            del self._entries[key]

    async def _look_up_once(self, key: _Key, token: tokens.Token) -> Principal:
        """Requests that miss together share one look-up; one that goes away does not end it for the rest."""
        lookup = self._lookups.get(key)
        if lookup is None:
            lookup = asyncio.create_task(self._look_up(key, token), name="auth-lookup")
            self._lookups[key] = lookup
            lookup.add_done_callback(lambda done: self._finished(key, done))
        try:
            async with asyncio.timeout(self._timeout):
                return await asyncio.shield(lookup)
        except (TimeoutError, DatabaseUnavailableError):
            raise _refusal(ErrorCode.AUTH_UNAVAILABLE) from None

    def _finished(self, key: _Key, lookup: asyncio.Task[Principal]) -> None:
        if self._lookups.get(key) is lookup:
            del self._lookups[key]
        if not lookup.cancelled():
            # Every waiter may have given up; an exception nobody fetches would be logged with a trace.
            lookup.exception()

    async def _look_up(self, key: _Key, token: tokens.Token) -> Principal:
        generation, started_at = self._generation, self._clock()
        digest, agent = key
        row = await self._find(token, agent)
        if row is None or not tokens.matches(token, self._pepper, row.secret_hash):
            self._remember_refusal(digest, ErrorCode.INVALID_TOKEN)
            raise _refusal(ErrorCode.INVALID_TOKEN)
        if row.is_revoked:
            self._remember_refusal(digest, ErrorCode.TOKEN_REVOKED)
        principal = _admit(row, agent)
        if generation == self._generation:
            life = self._cache_seconds if row.expires_in is None else min(self._cache_seconds, row.expires_in)
            _make_room(self._entries)
            self._entries[key] = _Entry(principal, started_at, started_at + life)
        return principal

    async def _find(self, token: tokens.Token, agent: UUID | str | None) -> PrincipalRow | None:
        agent_id, slug = (agent, None) if isinstance(agent, UUID) else (None, agent)
        try:
            return await repository.find_principal(self._postgres, token.id, agent_id, slug)
        except psycopg.Error as error:
            logger.error("a token cannot be looked up: %s: %s", type(error).__name__, error)
            raise DatabaseUnavailableError(str(error)) from error

    def _remember_refusal(self, digest: bytes, code: ErrorCode) -> None:
        """Only refusals that no single change lifts: an id never gets another secret, a revocation stays."""
        _make_room(self._refused)
        self._refused[digest] = _Refusal(code, self._clock() + self._cache_seconds)


def _admit(row: PrincipalRow, agent: UUID | str | None) -> Principal:
    """The checks on one look-up, in order of what the caller must mend first."""
    if row.is_revoked:
        raise _refusal(ErrorCode.TOKEN_REVOKED)
    if row.expires_in is not None and row.expires_in <= 0:
        raise _refusal(ErrorCode.TOKEN_EXPIRED)
    if row.org_status != "active":
        raise _refusal(ErrorCode.ORGANIZATION_SUSPENDED)
    if row.agent_id is None or row.agent_slug is None:
        raise _refusal(ErrorCode.MISSING_AGENT_ID if agent is None else ErrorCode.AGENT_NOT_AUTHORIZED)
    if row.bound_agent_id is not None and row.agent_id != row.bound_agent_id:
        raise _refusal(ErrorCode.AGENT_NOT_AUTHORIZED)
    if row.agent_status != "active":
        raise _refusal(ErrorCode.AGENT_SUSPENDED)
    return Principal(
        org_id=row.org_id,
        token_id=row.token_id,
        agent_id=row.agent_id,
        agent_slug=row.agent_slug,
        permissions=Permission(row.permissions),
        user_id=row.user_id,
    )


_MESSAGES = {
    ErrorCode.INVALID_TOKEN: "The token is not valid.",
    ErrorCode.TOKEN_EXPIRED: "The token has expired.",
    ErrorCode.TOKEN_REVOKED: "The token was revoked.",
    ErrorCode.ORGANIZATION_SUSPENDED: "The organization is suspended.",
    ErrorCode.MISSING_AGENT_ID: "The token is not bound to an agent: name one in X-IBEX-Agent-ID.",
    ErrorCode.AGENT_NOT_AUTHORIZED: "The token may not act for this agent.",
    ErrorCode.AGENT_SUSPENDED: "The agent is paused.",
    ErrorCode.AUTH_UNAVAILABLE: "The token cannot be checked at the moment. Try again shortly.",
}


def _refusal(code: ErrorCode) -> IbexError:
    if code is ErrorCode.AUTH_UNAVAILABLE:
        return IbexError(code, _MESSAGES[code], headers={"Retry-After": "1"})
    return IbexError(code, _MESSAGES[code], param="X-IBEX-Agent-ID" if "AGENT" in code else None)


def _touches(change: Change, principal: Principal) -> bool:
    ids = {"token": principal.token_id, "agent": principal.agent_id, "organization": principal.org_id}
    return ids[change.kind] == change.id


def _as_uuid(reference: str | None) -> UUID | None:
    if reference is None or len(reference) != 36:
        return None
    try:
        return UUID(reference)
    except ValueError:
        return None


def _make_room(entries: dict[_Key, _Entry] | dict[bytes, _Refusal]) -> None:
    """The oldest entry makes room; under a flood of random tokens memory stays flat."""
    if len(entries) >= _CAPACITY:
        del entries[next(iter(entries))]  # type: ignore[arg-type]
