"""Turns a bearer token into a principal: from this process's cache, else by one look-up in Postgres."""

import logging
import time
from collections.abc import Callable
from hashlib import sha256
from typing import Final
from uuid import UUID

import psycopg

from ibex.auth.changes import Change
from ibex.auth.names import as_uuid, is_slug
from ibex.auth.principal import AgentPrincipal, Principal
from ibex.auth.tokens import secret
from ibex.auth.validation import repository
from ibex.auth.validation.cache import Entry, JudgementCache, Key
from ibex.auth.validation.judgement import Judgement, judge, refusal
from ibex.auth.validation.repository import PrincipalRow
from ibex.errors import ErrorCode, IbexError
from ibex.http import contain
from ibex.storage import DatabaseUnavailableError, Postgres
from ibex.tasks import SharedTask

logger = logging.getLogger(__name__)

# While nothing can be heard of changes, an entry is trusted only this long (seconds).
_TRUST_WITHOUT_FEED: Final = 0.5
# Stands for a name that no agent can have.
_NOBODY: Final = UUID(int=0)

Refused = Callable[[Principal, ErrorCode, str | None], None]


class TokenValidator:
    """Checks tokens, fails closed, and never serves an entry that is stale.

    Parameters
    ----------
    pepper: the installation's secret, under which token hashes are stored.
    cache_seconds: longest life of what is remembered; a token's own expiry may cut it shorter.
    timeout: seconds a look-up may take before AUTH_UNAVAILABLE.
    feed_is_live: whether changes reach this process at the moment.
    refused: told of every refusal of a token whose secret is right: whose, why, and from which address.
    capacity: most look-ups that are remembered, and most texts that turned out to be no token.
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
        capacity: int = 10_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._postgres = postgres
        self._pepper = pepper
        self._cache_seconds = cache_seconds
        self._timeout = timeout
        self._feed_is_live = feed_is_live
        self._tell_of_refusal = refused
        self._capacity = capacity
        self._clock = clock
        self._cache = JudgementCache(capacity)
        # Digests of tokens that are none, each with the time until which that is remembered.
        self._unknown: dict[bytes, float] = {}
        self._lookups: dict[Key, SharedTask[Judgement]] = {}
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
        judgement = await self._judge(text, _reference(agent))
        self._admit(judgement, address)
        if judgement.acting is None:
            raise self._refused(judgement, judgement.agent_refusal or ErrorCode.AGENT_NOT_AUTHORIZED, address)
        return judgement.acting

    def forget(self, change: Change | None) -> None:
        """Drop what a change touches; None drops everything. Nobody waits for an older answer from now on."""
        self._generation += 1
        self._lookups.clear()
        if change is None:
            self._cache.clear()
            self._unknown.clear()
        else:
            self._cache.drop_touched(change)

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
        if len(text) != secret.LENGTH or not text.isascii():
            raise refusal(ErrorCode.INVALID_TOKEN)
        digest = sha256(text.encode()).digest()
        key = (digest, agent)
        now = self._clock()
        entry = self._cache.get(key)
        if entry is not None:
            if now < entry.fresh_until and (
                now - entry.asked_at < _TRUST_WITHOUT_FEED or self._feed_is_live()
            ):
                return entry.judgement
            self._cache.drop(key)
        if now < self._unknown.get(digest, 0.0):
            raise refusal(ErrorCode.INVALID_TOKEN)
        token = secret.parse(text, self._pepper)
        if token is None:
            raise refusal(ErrorCode.INVALID_TOKEN)
        return await self._look_up_once(key, token)

    async def _look_up_once(self, key: Key, token: secret.Token) -> Judgement:
        """Requests that miss together share one look-up; one that goes away does not end it for the rest."""
        lookup = self._lookups.get(key)
        if lookup is None:
            lookup = self._lookups[key] = SharedTask(
                self._look_up(key, token), "auth-lookup", lambda done: self._finished(key, done)
            )
        try:
            return await lookup.result(self._timeout)
        except (TimeoutError, DatabaseUnavailableError):
            raise refusal(ErrorCode.AUTH_UNAVAILABLE) from None

    def _finished(self, key: Key, lookup: SharedTask[Judgement]) -> None:
        if self._lookups.get(key) is lookup:
            del self._lookups[key]

    async def _look_up(self, key: Key, token: secret.Token) -> Judgement:
        generation, started_at = self._generation, self._clock()
        digest, agent = key
        row = await self._find(token, agent)
        if row is None or not secret.matches(token, self._pepper, row.secret_hash):
            # No change makes it one: an id never gets another secret.
            self._remember_unknown(digest)
            raise refusal(ErrorCode.INVALID_TOKEN)
        judgement = judge(row, agent)
        # An agent that is not there is not remembered, because it may be created.
        if generation == self._generation and (agent is None or row.agent_id is not None):
            life = self._cache_seconds
            if row.expires_in is not None and row.expires_in > 0:
                life = min(life, row.expires_in)
            self._cache.put(key, Entry(judgement, started_at, started_at + life))
        return judgement

    def _remember_unknown(self, digest: bytes) -> None:
        if len(self._unknown) >= self._capacity:
            del self._unknown[next(iter(self._unknown))]
        self._unknown[digest] = self._clock() + self._cache_seconds

    async def _find(self, token: secret.Token, agent: UUID | str | None) -> PrincipalRow | None:
        agent_id, slug = (agent, None) if isinstance(agent, UUID) else (None, agent)
        try:
            return await repository.find_principal(self._postgres, token.id, agent_id, slug)
        except psycopg.Error as error:
            logger.error("a token cannot be looked up: %s: %s", type(error).__name__, error)
            raise DatabaseUnavailableError(str(error)) from error


def _reference(agent: str | None) -> UUID | str | None:
    """An agent's id in one spelling, or its slug. What can be neither never reaches the database."""
    if agent is None or is_slug(agent):
        return agent
    return as_uuid(agent) or _NOBODY
