"""The provider keys of organizations, as a process that serves has them at hand."""

import logging
import time
from collections.abc import Callable, Mapping
from typing import Final
from uuid import UUID

from ibex.auth.changes import Change
from ibex.auth.changes.change import Kind
from ibex.auth.credentials import repository
from ibex.auth.credentials.key_ring import KeyRing
from ibex.auth.credentials.provider_key import ProviderKey
from ibex.auth.credentials.sealing import UnsealError, unseal
from ibex.auth.lookups import Finding, LookupCache
from ibex.errors import ErrorCode, IbexError
from ibex.storage import Postgres

logger = logging.getLogger(__name__)

_TOUCHED_BY: Final[frozenset[Kind]] = frozenset({"credentials", "organization"})
# What cannot be opened is looked at again soon, but not, and not logged, for every request (seconds).
_LIFE_OF_TROUBLE = 1.0

# By provider; None stands for a key that is there and cannot be opened.
ProviderKeys = Mapping[str, ProviderKey | None]


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
        self._lookups = LookupCache[UUID, ProviderKeys](
            "provider keys",
            _TOUCHED_BY,
            timeout=timeout,
            unavailable=_unavailable,
            feed_is_live=feed_is_live,
            clock=clock,
        )

    async def of(self, org_id: UUID) -> ProviderKeys:
        """Raises CREDENTIALS_UNAVAILABLE when it is not known which keys there are."""
        known = self._lookups.get(org_id)
        if known is not None:
            return known
        return await self._lookups.look_up(org_id, lambda: self._find(org_id))

    def forget(self, change: Change | None) -> None:
        """Drop what a change touches; None drops everything."""
        self._lookups.forget(change)

    async def _find(self, org_id: UUID) -> Finding[ProviderKeys]:
        stored = await repository.sealed(self._postgres, org_id)
        keys = {each.provider: self._opened(org_id, each) for each in stored}
        life = self._cache_seconds
        if None in keys.values():
            life = min(life, _LIFE_OF_TROUBLE)
        return Finding(keys, {org_id}, life)

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


def _unavailable() -> IbexError:
    return IbexError(
        ErrorCode.CREDENTIALS_UNAVAILABLE,
        "It cannot be looked up whether the organization has a provider key of its own. Try again shortly.",
        headers={"Retry-After": "1"},
    )
