"""Which directive a call gets: remembered in each process, so that it mostly costs no look-up."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from ibex.auth.changes import Change
from ibex.auth.changes.change import Kind
from ibex.auth.lookups import Finding, LookupCache
from ibex.auth.names import as_uuid, conflict, invalid, no_access
from ibex.auth.principal import AgentPrincipal
from ibex.context.directives import repository
from ibex.context.directives.directive import Directive
from ibex.context.directives.rollout import InUse
from ibex.context.directives.sessions import SessionVersions
from ibex.errors import ErrorCode, IbexError
from ibex.storage import Postgres

logger = logging.getLogger(__name__)

_TOUCHED_BY: Final[frozenset[Kind]] = frozenset({"directive"})
# Agents, and versions that were named. Of 4 kB each, 20 MB and 2 MB.
_MOST_AGENTS: Final = 5_000
_MOST_NAMED: Final = 500
# While the database is away an agent's directive is asked for once in so many seconds, not at every call.
_TRY_AGAIN_AFTER: Final = 1.0
_HEADER: Final = "X-IBEX-Directive-Override"
# Digits; more than any version has.
_LONGEST_NUMBER: Final = 9


class DirectiveUnavailableError(IbexError):
    """It is not known which directive an agent has: the database is away, and nothing was known before."""


@dataclass(frozen=True, slots=True)
class _LastKnown:
    in_use: InUse
    ask_again_at: float


class DirectiveResolver:
    """Finds the directive of a call.

    What is known of an agent is forgotten when a message tells of a change, so that a revocation reaches
    every process, and the sessions that run there, within a second. While Postgres is away what was known
    last goes on, for it is better than none; unless there was word of a change, which may have been a
    revocation.

    Parameters
    ----------
    cache_seconds: longest life of what is remembered.
    timeout: seconds a look-up may take.
    feed_is_live: whether changes reach this process at the moment.
    """

    def __init__(
        self,
        postgres: Postgres,
        sessions: SessionVersions,
        *,
        cache_seconds: float,
        timeout: float,
        feed_is_live: Callable[[], bool],
        capacity: int = _MOST_AGENTS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._postgres = postgres
        self._cache_seconds = cache_seconds
        self._capacity = capacity
        self._clock = clock
        self._sessions = sessions
        self._lookups = LookupCache[UUID, InUse](
            "directives",
            _TOUCHED_BY,
            timeout=timeout,
            unavailable=_unavailable,
            feed_is_live=feed_is_live,
            capacity=capacity,
            clock=clock,
        )
        self._named = LookupCache[tuple[UUID, UUID | int], Directive](
            "a directive",
            _TOUCHED_BY,
            timeout=timeout,
            unavailable=_unavailable,
            feed_is_live=feed_is_live,
            capacity=_MOST_NAMED,
            clock=clock,
        )
        self._last_known: dict[UUID, _LastKnown] = {}

    async def resolve(self, principal: AgentPrincipal, conversation: str) -> Directive | None:
        """The directive of an agent for a conversation; None when the agent has none.

        A conversation keeps its version while that may be used, for a day after another one has taken its
        place. Raises `DirectiveUnavailableError`.
        """
        in_use = self._lookups.get(principal.agent_id) or await self._in_use(principal)
        if not in_use.is_settled:
            return await self._sessions.of(principal.org_id, principal.agent_id, conversation, in_use)
        if in_use.active is not None:
            self._sessions.note(principal.agent_id, conversation, in_use.active_mark)
        return in_use.active

    async def named(self, principal: AgentPrincipal, reference: str) -> Directive:
        """The version of the agent with a number or an id, whatever its status but revoked.

        Raises VALIDATION_ERROR for what is neither, ACCESS_DENIED when the agent has none, CONFLICT when it
        is revoked, and `DirectiveUnavailableError`.
        """
        wanted = _parsed(reference)
        key = (principal.agent_id, wanted)
        found = self._named.get(key) or await self._named.look_up(key, lambda: self._find(principal, wanted))
        if found.status == "revoked":
            raise conflict(f"Version {found.number} of the directive is revoked.")
        return found

    def forget(self, change: Change | None) -> None:
        """Drop what a change touches; None drops everything."""
        self._lookups.forget(change)
        self._named.forget(change)
        if change is None:
            self._last_known.clear()
        elif change.kind in _TOUCHED_BY:
            self._last_known.pop(change.id, None)

    async def _in_use(self, principal: AgentPrincipal) -> InUse:
        agent_id = principal.agent_id
        last = self._last_known.get(agent_id)
        if last is not None and self._clock() < last.ask_again_at:
            return last.in_use
        try:
            found = await self._lookups.look_up(agent_id, lambda: self._find_in_use(principal))
        except DirectiveUnavailableError:
            # Word of a change may have come while this was waited for.
            last = self._last_known.get(agent_id)
            if last is None:
                raise
            logger.warning("agent %s goes on with the directive that was known last", agent_id)
            self._last_known[agent_id] = _LastKnown(last.in_use, self._clock() + _TRY_AGAIN_AFTER)
            return last.in_use
        # What a change has overtaken is no longer known.
        if agent_id in self._lookups:
            self._remember(agent_id, found)
        return found

    def _remember(self, agent_id: UUID, found: InUse) -> None:
        if len(self._last_known) >= self._capacity and agent_id not in self._last_known:
            del self._last_known[next(iter(self._last_known))]
        self._last_known[agent_id] = _LastKnown(found, float("-inf"))

    async def _find_in_use(self, principal: AgentPrincipal) -> Finding[InUse]:
        found = await repository.in_use(self._postgres, principal.org_id, principal.agent_id)
        return Finding(InUse.of(found), {principal.agent_id}, self._cache_seconds)

    async def _find(self, principal: AgentPrincipal, wanted: UUID | int) -> Finding[Directive]:
        found = await repository.find_of_agent(self._postgres, principal.org_id, principal.agent_id, wanted)
        if found is None:
            raise no_access("directive")
        return Finding(found, {principal.agent_id}, self._cache_seconds)


def _parsed(reference: str) -> UUID | int:
    directive_id = as_uuid(reference)
    if directive_id is not None:
        return directive_id
    if reference.isascii() and reference.isdecimal() and len(reference) <= _LONGEST_NUMBER:
        return int(reference)
    raise invalid(_HEADER, "A version of a directive is named by its number or its id.")


def _unavailable() -> DirectiveUnavailableError:
    return DirectiveUnavailableError(
        ErrorCode.SERVICE_DEGRADED,
        "It cannot be looked up which directive the agent has. Try again shortly.",
        headers={"Retry-After": "1"},
    )
