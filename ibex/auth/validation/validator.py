"""Turns a bearer token into a principal: from this process's cache, else by one look-up in Postgres."""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import TypeVar
from uuid import UUID

import psycopg

from ibex.auth.changes import Change
from ibex.auth.principal import AgentPrincipal, Principal
from ibex.auth.tokens import secret
from ibex.auth.validation import repository
from ibex.auth.validation.judgement import Judgement, judge, refusal
from ibex.auth.validation.repository import PrincipalRow
from ibex.errors import ErrorCode, IbexError
from ibex.http import contain
from ibex.storage import DatabaseUnavailableError, Postgres

logger = logging.getLogger(__name__)

_CAPACITY = 10_000
# While nothing can be heard of changes, an entry is trusted only this long (seconds).
_TRUST_WITHOUT_FEED = 0.5

# A token's digest and the agent that was named, an id in one spelling only.
_Key = tuple[bytes, UUID | str | None]
_AnyKey = TypeVar("_AnyKey")
_Value = TypeVar("_Value")

Refused = Callable[[Principal, ErrorCode, str | None], None]


@dataclass(frozen=True, slots=True)
class _Entry:
    judgement: Judgement
    stored_at: float
    fresh_until: float


class TokenValidator:
    """Checks tokens, fails closed, and never serves an entry that is stale.

    Parameters
    ----------
    pepper: the installation's secret, under which token hashes are stored.
    cache_seconds: longest life of what is remembered; a token's own expiry may cut it shorter.
    timeout: seconds a look-up may take before AUTH_UNAVAILABLE.
    feed_is_live: whether changes reach this process at the moment.
    refused: told of every refusal of a token whose secret is right: whose, why, and from which address.
    """

    def __init__(
        self,
        postgres: Postgres,
        pepper: bytes,
        *,
        cache_seconds: float,
        timeout: float,
        feed_is_live: Callable[[], bool],
        refused: Refused = lambda principal, code, address: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._postgres = postgres
        self._pepper = pepper
        self._cache_seconds = cache_seconds
        self._timeout = timeout
        self._feed_is_live = feed_is_live
        self._tell_of_refusal = refused
        self._clock = clock
        self._entries: dict[_Key, _Entry] = {}
        # Digests of tokens that are none, each with the time until which that is remembered.
        self._unknown: dict[bytes, float] = {}
        self._lookups: dict[_Key, asyncio.Task[Judgement]] = {}
        self._generation = 0

    async def authenticate(self, text: str, address: str | None) -> Principal:
        """Who holds a token, used from `address`; no agent is asked for.

        Raises `IbexError`: INVALID_TOKEN, TOKEN_EXPIRED, TOKEN_REVOKED, ORGANIZATION_SUSPENDED,
        USER_SUSPENDED, NETWORK_NOT_ALLOWED or AUTH_UNAVAILABLE.
        """
        judgement = await self._judge(text, None)
        self._admit(judgement, address)
        return judgement.principal

    async def authenticate_agent(self, text: str, agent: str | None, address: str | None) -> AgentPrincipal:
        """Who holds a token, acting as the agent that the request names (id or slug) or as the token's own.

        Raises as `authenticate`, and MISSING_AGENT_ID, AGENT_NOT_AUTHORIZED or AGENT_SUSPENDED.
        """
        judgement = await self._judge(text, _as_uuid(agent) or agent)
        self._admit(judgement, address)
        if judgement.acting is None:
            raise self._refused(judgement, judgement.agent_refusal or ErrorCode.AGENT_NOT_AUTHORIZED, address)
        return judgement.acting

    def forget(self, change: Change | None) -> None:
        """Drop what a change touches; None drops everything. Nobody waits for an older answer from now on."""
        self._generation += 1
        self._lookups.clear()
        if change is None:
            self._entries.clear()
            self._unknown.clear()
            return
        touched = [key for key, entry in self._entries.items() if entry.judgement.is_touched_by(change)]
        for key in touched:
            del self._entries[key]

    def _admit(self, judgement: Judgement, address: str | None) -> None:
        if judgement.refusal is not None:
            raise self._refused(judgement, judgement.refusal, address)
        allowed = judgement.principal.allowed_networks
        if allowed and not contain(allowed, address):
            raise self._refused(judgement, ErrorCode.NETWORK_NOT_ALLOWED, address)

    def _refused(self, judgement: Judgement, code: ErrorCode, address: str | None) -> IbexError:
        self._tell_of_refusal(judgement.principal, code, address)
        return refusal(code)

    async def _judge(self, text: str, agent: UUID | str | None) -> Judgement:
        digest = sha256(text.encode()).digest()
        key = (digest, agent)
        now = self._clock()
        entry = self._entries.get(key)
        if entry is not None:
            if now < entry.fresh_until and (
                now - entry.stored_at < _TRUST_WITHOUT_FEED or self._feed_is_live()
            ):
                return entry.judgement
            del self._entries[key]
        if now < self._unknown.get(digest, 0.0):
            raise refusal(ErrorCode.INVALID_TOKEN)
        token = secret.parse(text, self._pepper)
        if token is None:
            raise refusal(ErrorCode.INVALID_TOKEN)
        return await self._look_up_once(key, token)

    async def _look_up_once(self, key: _Key, token: secret.Token) -> Judgement:
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
            raise refusal(ErrorCode.AUTH_UNAVAILABLE) from None

    def _finished(self, key: _Key, lookup: asyncio.Task[Judgement]) -> None:
        if self._lookups.get(key) is lookup:
            del self._lookups[key]
        if not lookup.cancelled():
            # Every waiter may have given up; an exception nobody fetches would be logged with a trace.
            lookup.exception()

    async def _look_up(self, key: _Key, token: secret.Token) -> Judgement:
        generation, started_at = self._generation, self._clock()
        digest, agent = key
        row = await self._find(token, agent)
        if row is None or not secret.matches(token, self._pepper, row.secret_hash):
            # No change makes it one: an id never gets another secret.
            _make_room(self._unknown)
            self._unknown[digest] = self._clock() + self._cache_seconds
            raise refusal(ErrorCode.INVALID_TOKEN)
        judgement = judge(row, agent)
        # An agent that is not there is not remembered, because it may be created.
        if generation == self._generation and (agent is None or row.agent_id is not None):
            life = self._cache_seconds
            if row.expires_in is not None and row.expires_in > 0:
                life = min(life, row.expires_in)
            _make_room(self._entries)
            self._entries[key] = _Entry(judgement, started_at, started_at + life)
        return judgement

    async def _find(self, token: secret.Token, agent: UUID | str | None) -> PrincipalRow | None:
        agent_id, slug = (agent, None) if isinstance(agent, UUID) else (None, agent)
        try:
            return await repository.find_principal(self._postgres, token.id, agent_id, slug)
        except psycopg.Error as error:
            logger.error("a token cannot be looked up: %s: %s", type(error).__name__, error)
            raise DatabaseUnavailableError(str(error)) from error


def _as_uuid(reference: str | None) -> UUID | None:
    if reference is None or len(reference) != 36:
        return None
    try:
        return UUID(reference)
    except ValueError:
        return None


def _make_room(entries: dict[_AnyKey, _Value]) -> None:
    """The oldest entry makes room; under a flood of strangers memory stays flat."""
    if len(entries) >= _CAPACITY:
        del entries[next(iter(entries))]
