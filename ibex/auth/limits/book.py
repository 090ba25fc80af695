"""Which limits a request is under: remembered in each process, so that a check costs no look-up."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import psycopg

from ibex.auth.changes import Change
from ibex.auth.limits import repository
from ibex.auth.limits.allowances import Allowances, LimitDefaults
from ibex.auth.limits.limit import Limit, LimitSet, end_user_subject
from ibex.auth.limits.month import Exhausted, first_of_month
from ibex.auth.limits.scope import Scope
from ibex.auth.principal import AgentPrincipal, Principal
from ibex.storage import DatabaseUnavailableError, Postgres
from ibex.tasks import SharedTask

logger = logging.getLogger(__name__)

_AWAY = (DatabaseUnavailableError, psycopg.Error, TimeoutError)
_FRESH_FOR = 30.0
_TRY_AGAIN_AFTER = 1.0
_MOST_REMEMBERED = 10_000
# Of all organizations together; one has 10,000 at most.
_MOST_OVERRIDES = 100_000
_MOST_ORGANIZATIONS = 10_000


@dataclass(slots=True)
class _Page:
    """One organization's allowances. They are read anew in the background once they are no longer fresh, and
    waited for when they are outdated: then somebody has changed them.
    """

    allowances: Allowances
    fresh_until: float
    is_outdated: bool = False

    @property
    def size(self) -> int:
        return len(self.allowances.overrides)


# What a set of limits depends on, within an organization.
_Key = tuple[UUID, UUID | None, str | None, bool]


class LimitBook:
    """Overrides are read once for each organization, again when they change, and at most every 30 seconds.

    What was used in the month is read along with them, where that is limited: when it is used up, whoever has
    counted it says that the limits have changed.

    While Postgres is away what is known stays true, and where nothing is known the defaults hold.

    Parameters
    ----------
    timeout: seconds that a request waits for overrides to be read.
    now: the time of day, which says what month it is.
    """

    def __init__(
        self,
        postgres: Postgres,
        defaults: LimitDefaults,
        *,
        timeout: float,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._postgres = postgres
        self._defaults = defaults
        self._timeout = timeout
        self._clock = clock
        self._now = now
        self._pages: dict[UUID, _Page] = {}
        self._overrides = 0
        self._sets: dict[_Key, tuple[Allowances, LimitSet]] = {}
        self._readings: dict[UUID, SharedTask[None]] = {}

    async def of_call(self, principal: AgentPrincipal, end_user: str | None) -> LimitSet:
        """What a call of a model is under."""
        allowances = await self._allowances(principal.org_id)
        return self._set(
            allowances, principal, end_user if allowances.limits_end_users else None, is_call=True
        )

    async def of_request(self, principal: Principal) -> LimitSet:
        """What any other request is under: the requests per minute of its token, agent and organization."""
        return self._set(await self._allowances(principal.org_id), principal, None, is_call=False)

    def forget(self, change: Change | None) -> None:
        """Read anew what a change may have touched; None is everything. Nobody waits for an older answer."""
        if change is None:
            self._readings.clear()
            touched = list(self._pages.values())
        elif change.kind in ("limits", "organization"):
            self._readings.pop(change.id, None)
            touched = [page for page in (self._pages.get(change.id),) if page is not None]
        else:
            return
        for page in touched:
            page.is_outdated = True

    async def _allowances(self, org_id: UUID) -> Allowances:
        page = self._pages.get(org_id)
        if page is not None and not page.is_outdated:
            if self._clock() >= page.fresh_until:
                self._read_once(org_id)
            return page.allowances
        try:
            async with asyncio.timeout(self._timeout):
                while page is None or page.is_outdated:
                    await self._read_once(org_id).result(self._timeout)
                    page = self._pages.get(org_id)
        except _AWAY as error:
            logger.warning("limits cannot be looked up (%s)", type(error).__name__)
            known = page.allowances if page is not None else Allowances(self._defaults)
            page = self._keep(org_id, known, _TRY_AGAIN_AFTER)
        return page.allowances

    def _read_once(self, org_id: UUID) -> SharedTask[None]:
        """Requests that miss together share one look-up."""
        reading = self._readings.get(org_id)
        if reading is not None:
            return reading

        async def read() -> None:
            found = await repository.all_of(self._postgres, org_id)
            overrides = {(override.scope, override.subject): override.allowance for override in found}
            month = first_of_month(self._now())
            is_limited = any(allowance.holds_for_a_month for allowance in overrides.values())
            used = await repository.used_in(self._postgres, org_id, month) if is_limited else []
            by_subject = {(use.scope, str(use.subject)): use for use in used}
            # A change since then makes this what was, and a new reading what is.
            if self._readings.get(org_id) is reading:
                self._keep(org_id, Allowances(self._defaults, overrides, month, by_subject), _FRESH_FOR)

        reading = SharedTask(read(), "limits-lookup", lambda done: self._finished(org_id, done))
        self._readings[org_id] = reading
        return reading

    def _finished(self, org_id: UUID, reading: SharedTask[None]) -> None:
        if self._readings.get(org_id) is reading:
            del self._readings[org_id]
        error = reading.error
        if error is None:
            return
        if org_id in self._pages:
            self._pages[org_id].fresh_until = self._clock() + _TRY_AGAIN_AFTER
        if not isinstance(error, _AWAY):
            # Nobody may be waiting for this one, and so nobody else would tell of it.
            logger.error("limits cannot be looked up", exc_info=error)

    def _keep(self, org_id: UUID, allowances: Allowances, seconds: float) -> _Page:
        """The organization that was read longest ago makes room."""
        before = self._pages.pop(org_id, None)
        self._overrides += len(allowances.overrides) - (before.size if before is not None else 0)
        while self._pages and (self._overrides > _MOST_OVERRIDES or len(self._pages) >= _MOST_ORGANIZATIONS):
            self._overrides -= self._pages.pop(next(iter(self._pages))).size
        page = self._pages[org_id] = _Page(allowances, self._clock() + seconds)
        return page

    def _set(
        self, allowances: Allowances, principal: Principal, end_user: str | None, *, is_call: bool
    ) -> LimitSet:
        agent_id = principal.agent_id if isinstance(principal, AgentPrincipal) else None
        key = (principal.token_id, agent_id, end_user, is_call)
        known = self._sets.get(key)
        if known is not None and known[0] is allowances:
            return known[1]
        found = LimitSet.of(
            _limits(allowances, principal.org_id, principal.token_id, agent_id, end_user, is_call),
            _exhausted(allowances, principal.org_id, agent_id) if is_call else None,
        )
        if known is None and len(self._sets) >= _MOST_REMEMBERED:
            del self._sets[next(iter(self._sets))]
        self._sets[key] = (allowances, found)
        return found


def _exhausted(allowances: Allowances, org_id: UUID, agent_id: UUID | None) -> Exhausted | None:
    """Of the agent's month, or of the organization's."""
    of_agent = None if agent_id is None else allowances.exhausted("agent", agent_id)
    return of_agent or allowances.exhausted("organization", org_id)


def _limits(
    allowances: Allowances,
    org_id: UUID,
    token_id: UUID,
    agent_id: UUID | None,
    end_user: str | None,
    is_call: bool,
) -> Iterator[Limit]:
    subjects: list[tuple[Scope, str, str]] = [("token", str(token_id), str(token_id))]
    if agent_id is not None:
        subjects.append(("agent", str(agent_id), str(agent_id)))
    if end_user is not None:
        subjects.append(("end_user", end_user, end_user_subject(org_id, end_user)))
    subjects.append(("organization", str(org_id), str(org_id)))
    for scope, subject, in_keys in subjects:
        allowed = allowances.of(scope, subject)
        if allowed.requests_per_minute is not None:
            yield Limit(scope, "requests", in_keys, allowed.requests_per_minute)
        if is_call and allowed.tokens_per_minute is not None:
            yield Limit(scope, "tokens", in_keys, allowed.tokens_per_minute)
        if is_call and allowed.concurrent_requests is not None:
            yield Limit(scope, "concurrent", in_keys, allowed.concurrent_requests)
