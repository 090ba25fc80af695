"""Turns a bearer token into a principal: from this process's cache, else by one look-up in Postgres."""

import time
from collections.abc import Callable
from hashlib import sha256
from typing import Final
from uuid import UUID

from ibex.auth.changes import Change
from ibex.auth.changes.change import Kind
from ibex.auth.lookups import Finding, LookupCache
from ibex.auth.names import as_uuid, is_slug
from ibex.auth.principal import AgentPrincipal, Principal
from ibex.auth.tokens import secret
from ibex.auth.validation import repository
from ibex.auth.validation.guesses import AgentGuesses
from ibex.auth.validation.judgement import Judgement, judge, refusal
from ibex.auth.validation.repository import PrincipalRow
from ibex.errors import ErrorCode, IbexError
from ibex.http import contain
from ibex.storage import Postgres

# Other kinds of change touch nothing that a look-up tells.
_TOUCHED_BY: Final[frozenset[Kind]] = frozenset({"token", "agent", "user", "organization"})
# Stands for a name that no agent can have.
_NOBODY: Final = UUID(int=0)

# A token's digest and the agent that was named, an id in one spelling only.
Key = tuple[bytes, UUID | str | None]
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
        self._tell_of_refusal = refused
        self._capacity = capacity
        self._clock = clock
        self._judgements = LookupCache[Key, Judgement](
            "a token",
            _TOUCHED_BY,
            timeout=timeout,
            unavailable=lambda: refusal(ErrorCode.AUTH_UNAVAILABLE),
            feed_is_live=feed_is_live,
            capacity=capacity,
            clock=clock,
        )
        # Digests of tokens that are none, each with the time until which that is remembered.
        self._unknown: dict[bytes, float] = {}
        self._guesses = AgentGuesses(capacity, clock)

    async def authenticate(self, text: str, address: str | None) -> Principal:
        """Who holds a token, used from `address`; no agent is asked for.

        Raises `IbexError`: INVALID_TOKEN, TOKEN_EXPIRED, TOKEN_REVOKED, ORGANIZATION_SUSPENDED,
        USER_SUSPENDED, NETWORK_NOT_ALLOWED, AUTH_UNAVAILABLE, or AGENT_SUSPENDED for a token that is bound to
        an agent: it is that agent's, whatever it is used for.
        """
        judgement = await self._judge(text, None)
        self._admit(judgement, address)
        if judgement.principal.bound_agent_id is not None and judgement.agent_refusal is not None:
            raise self._refused(judgement, judgement.agent_refusal, address)
        return judgement.principal

    async def authenticate_agent(self, text: str, agent: str | None, address: str | None) -> AgentPrincipal:
        """Who holds a token, acting as the agent that the request names (id or slug) or as the token's own.

        Raises as `authenticate`, and MISSING_AGENT_ID, AGENT_NOT_AUTHORIZED or AGENT_SUSPENDED; RATE_LIMITED
        when the token has named too many agents that are not there.
        """
        judgement = await self._judge(text, _reference(agent))
        self._admit(judgement, address)
        if judgement.acting is None:
            raise self._refused(judgement, judgement.agent_refusal or ErrorCode.AGENT_NOT_AUTHORIZED, address)
        return judgement.acting

    def forget(self, change: Change | None) -> None:
        """Drop what a change touches; None drops everything. Nobody waits for an older answer from now on."""
        self._judgements.forget(change)
        if change is None:
            self._unknown.clear()

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
        known = self._judgements.get(key)
        if known is not None:
            return known
        if self._clock() < self._unknown.get(digest, 0.0):
            raise refusal(ErrorCode.INVALID_TOKEN)
        token = secret.parse(text, self._pepper)
        if token is None:
            raise refusal(ErrorCode.INVALID_TOKEN)
        return await self._judgements.look_up(key, lambda: self._find(key, token))

    async def _find(self, key: Key, token: secret.Token) -> Finding[Judgement]:
        digest, agent = key
        if agent is None or key in self._judgements:
            row = await self._row(token, agent)
        else:
            row = await self._guess(token, agent)
        if row is None or not secret.matches(token, self._pepper, row.secret_hash):
            # No change makes it one: an id never gets another secret.
            self._remember_unknown(digest)
            raise refusal(ErrorCode.INVALID_TOKEN)
        judgement = judge(row, agent)
        return Finding(judgement, judgement.subjects, self._life(row, agent))

    async def _guess(self, token: secret.Token, agent: UUID | str) -> PrincipalRow | None:
        """Look for an agent that may be none, as far as the token may still do so."""
        self._guesses.take(token.id)
        row = None
        try:
            row = await self._row(token, agent)
        finally:
            if row is None or row.agent_id is not None:
                self._guesses.give_back(token.id)
        return row

    async def _row(self, token: secret.Token, agent: UUID | str | None) -> PrincipalRow | None:
        agent_id, slug = (agent, None) if isinstance(agent, UUID) else (None, agent)
        return await repository.find_principal(self._postgres, token.id, agent_id, slug)

    def _life(self, row: PrincipalRow, agent: UUID | str | None) -> float | None:
        if agent is not None and row.agent_id is None:
            # It may be created, and nobody would tell.
            return None
        if row.expires_in is not None and row.expires_in > 0:
            return min(self._cache_seconds, row.expires_in)
        return self._cache_seconds

    def _remember_unknown(self, digest: bytes) -> None:
        if len(self._unknown) >= self._capacity:
            del self._unknown[next(iter(self._unknown))]
        self._unknown[digest] = self._clock() + self._cache_seconds


def _reference(agent: str | None) -> UUID | str | None:
    """An agent's id in one spelling, or its slug. What can be neither never reaches the database."""
    if agent is None or is_slug(agent):
        return agent
    return as_uuid(agent) or _NOBODY
