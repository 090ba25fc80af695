"""The end of organizations whose grace period is over."""

import logging
from collections.abc import Awaitable, Callable
from uuid import UUID

from ibex.auth.organizations import repository
from ibex.storage import Postgres, Redis, organization_key

logger = logging.getLogger(__name__)

_BATCH = 500


class OrganizationErasure:
    """Erases every row and every key of an organization; that it has been there is all that is kept.

    Parameters
    ----------
    postgres: patient enough for an organization with many sessions, which goes in one transaction.
    forget: removes what is left of an organization elsewhere.
    """

    def __init__(self, postgres: Postgres, redis: Redis, *forget: Callable[[UUID], Awaitable[None]]) -> None:
        self._postgres = postgres
        self._redis = redis
        self._forget_elsewhere = forget

    async def run(self) -> None:
        """Erase those that are due. One that cannot be holds up no other, and is tried again the next time.

        Raises `ExceptionGroup` in the end, of whatever went wrong.
        """
        errors: list[Exception] = []
        org_id = None
        while (org_id := await repository.next_to_erase(self._postgres, org_id)) is not None:
            try:
                await self._erase(org_id)
            except Exception as error:  # noqa: BLE001 - all of them are raised in the end
                errors.append(error)
        if errors:
            raise ExceptionGroup("organizations that could not be erased", errors)

    async def _erase(self, org_id: UUID) -> None:
        # First, because it may take long, and the rows are locked from here on.
        await self._forget(org_id)
        async with self._postgres.transaction(None) as connection:
            if not await repository.erase(connection, org_id):
                return
            # What a request still in flight has left meanwhile. As long as this fails the rows are there, and
            # an interrupted erasure is taken up again.
            await self._forget(org_id)
        logger.info("organization %s was erased", org_id)

    async def _forget(self, org_id: UUID) -> None:
        """Remove all of its keys, on every node of a cluster; they share one slot. And what is elsewhere."""
        batch: list[bytes] = []
        async for key in self._redis.scan_iter(match=organization_key(org_id, "*"), count=_BATCH):
            batch.append(key)
            if len(batch) == _BATCH:
                await self._redis.unlink(*batch)
                batch.clear()
        if batch:
            await self._redis.unlink(*batch)
        for forget in self._forget_elsewhere:
            await forget(org_id)
