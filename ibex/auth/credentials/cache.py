"""The provider keys of organizations, as a process that serves has them at hand."""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from uuid import UUID

import psycopg

from ibex.auth.changes import Change
from ibex.auth.credentials import repository
from ibex.auth.credentials.key_ring import KeyRing
from ibex.auth.credentials.provider_key import ProviderKey
from ibex.auth.credentials.sealing import UnsealError, unseal
from ibex.errors import ErrorCode, IbexError
from ibex.storage import DatabaseUnavailableError, Postgres
from ibex.tasks import SharedTask

logger = logging.getLogger(__name__)

_CAPACITY = 10_000
# As for tokens: while nothing can be heard of changes, an entry is trusted only this long (seconds).
_TRUST_WITHOUT_FEED = 0.5
# What cannot be opened is looked at again soon, but not, and not logged, for every request (seconds).
_LIFE_OF_TROUBLE = 1.0

# By provider; None stands for a key that is there and cannot be opened.
ProviderKeys = Mapping[str, ProviderKey | None]


@dataclass(frozen=True, slots=True)
class _Entry:
    keys: ProviderKeys
    stored_at: float
    fresh_until: float


class OrganizationKeys:
    """Remembers, for a while, which keys an organization has, and that it has none.

    Parameters
    ----------
    cache_seconds: longest life of what is remembered.
    timeout: seconds a look-up may take before CREDENTIALS_UNAVAILABLE.
    feed_is_live: whether changes reach this process at the moment.
    """

    def __init__(
        self,
        postgres: Postgres,
        keys: KeyRing,
        *,
        cache_seconds: float,
        timeout: float,
        feed_is_live: Callable[[], bool],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._postgres = postgres
        self._keys = keys
        self._cache_seconds = cache_seconds
        self._timeout = timeout
        self._feed_is_live = feed_is_live
        self._clock = clock
        self._entries: dict[UUID, _Entry] = {}
        self._lookups: dict[UUID, SharedTask[ProviderKeys]] = {}
        self._generation = 0

    async def of(self, org_id: UUID) -> ProviderKeys:
        """Raises CREDENTIALS_UNAVAILABLE when it is not known which keys there are."""
        entry = self._entries.get(org_id)
        if entry is not None:
            now = self._clock()
            if now < entry.fresh_until and (
                now - entry.stored_at < _TRUST_WITHOUT_FEED or self._feed_is_live()
            ):
                return entry.keys
            del self._entries[org_id]
        return await self._look_up_once(org_id)

    def forget(self, change: Change | None) -> None:
        """Drop what a change touches; None drops everything."""
        if change is None:
            self._entries.clear()
        elif change.kind in {"credentials", "organization"}:
            self._entries.pop(change.id, None)
        else:
            return
        self._generation += 1
        self._lookups.clear()

    async def _look_up_once(self, org_id: UUID) -> ProviderKeys:
        """Requests that miss together share one look-up; one that goes away does not end it for the rest."""
        lookup = self._lookups.get(org_id)
        if lookup is None:
            lookup = self._lookups[org_id] = SharedTask(
                self._look_up(org_id), "credentials-lookup", lambda done: self._finished(org_id, done)
            )
        try:
            return await lookup.result(self._timeout)
        except (TimeoutError, DatabaseUnavailableError):
            raise IbexError(
                ErrorCode.CREDENTIALS_UNAVAILABLE,
                "It cannot be looked up whether the organization has a provider key of its own. "
                "Try again shortly.",
                headers={"Retry-After": "1"},
            ) from None

    def _finished(self, org_id: UUID, lookup: SharedTask[ProviderKeys]) -> None:
        if self._lookups.get(org_id) is lookup:
            del self._lookups[org_id]

    async def _look_up(self, org_id: UUID) -> ProviderKeys:
        generation, started_at = self._generation, self._clock()
        try:
            stored = await repository.sealed(self._postgres, org_id)
        except psycopg.Error as error:
            logger.error("provider keys cannot be looked up: %s: %s", type(error).__name__, error)
            raise DatabaseUnavailableError(str(error)) from error
        keys = {each.provider: self._opened(org_id, each) for each in stored}
        if generation == self._generation:
            life = (
                min(self._cache_seconds, _LIFE_OF_TROUBLE) if None in keys.values() else self._cache_seconds
            )
            if len(self._entries) >= _CAPACITY:
                del self._entries[next(iter(self._entries))]
            self._entries[org_id] = _Entry(keys, started_at, started_at + life)
        return keys

    def _opened(self, org_id: UUID, stored: repository.SealedCredential) -> ProviderKey | None:
        try:
            text = unseal(stored.sealed, stored.key_id, self._keys, org_id, stored.provider)
        except UnsealError as error:
            logger.error(
                "the key of organization %s for provider %s cannot be opened: %s",
                org_id,
                stored.provider,
                error,
            )
            return None
        return ProviderKey(text, "organization")
