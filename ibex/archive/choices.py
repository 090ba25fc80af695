"""Whether organizations want what is said kept, remembered by the process until it changes."""

from collections.abc import Callable
from uuid import UUID

from ibex.archive.repository import contents
from ibex.auth import Change
from ibex.auth.lookups import Finding, LookupCache
from ibex.errors import ErrorCode, IbexError
from ibex.storage import DatabaseUnavailableError, Postgres


class ContentChoices:
    """Looks up whether an organization stores content.

    Parameters
    ----------
    cache_seconds: that a choice is remembered; a change of it is heard of sooner.
    timeout: seconds that a look-up may take.
    feed_is_live: whether changes reach this process at the moment.
    """

    def __init__(
        self, postgres: Postgres, *, cache_seconds: float, timeout: float, feed_is_live: Callable[[], bool]
    ) -> None:
        self._postgres = postgres
        self._life = cache_seconds
        self._cache: LookupCache[UUID, bool] = LookupCache(
            "whether content is stored",
            frozenset({"organization"}),
            timeout=timeout,
            unavailable=_unavailable,
            feed_is_live=feed_is_live,
        )

    def forget(self, change: Change | None) -> None:
        self._cache.forget(change)

    def is_known_to_refuse(self, org_id: UUID) -> bool:
        """Whether nothing is to be kept, as far as is remembered; asks nobody."""
        return self._cache.get(org_id) is False

    async def stores(self, org_id: UUID) -> bool:
        """Raises `DatabaseUnavailableError`."""
        remembered = self._cache.get(org_id)
        if remembered is not None:
            return remembered
        try:
            return await self._cache.look_up(org_id, lambda: self._find(org_id))
        except IbexError as error:
            raise DatabaseUnavailableError(error.message) from error

    async def _find(self, org_id: UUID) -> Finding[bool]:
        found = await contents.is_stored(self._postgres, org_id)
        return Finding(found, frozenset({org_id}), self._life)


def _unavailable() -> IbexError:
    return IbexError(ErrorCode.SERVICE_DEGRADED, "The choices of an organization cannot be looked up.")
