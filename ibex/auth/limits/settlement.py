"""Tells Redis what has ended: in the background, batched, an organization at a time."""

import asyncio
from collections.abc import Callable, Sequence
from itertools import islice
from uuid import UUID

from redis.exceptions import RedisError

from ibex.auth.limits.demand import Endings
from ibex.auth.limits.shared import SharedLimiter
from ibex.tasks import BackgroundTask

AWAY = (RedisError, OSError, TimeoutError)

# Nobody waits for it.
PATIENCE = 1.0
# What has ended is told with the next check of its organization, or after this many seconds.
_TELL_AFTER = 0.005
_TRY_AGAIN_AFTER = 1.0
_AT_ONCE = 16
# Most endings of one organization that are kept while Redis is away; leases beyond them expire.
_CAPACITY = 10_000


class Settlement:
    """What Redis has not been told yet.

    Parameters
    ----------
    is_away: whether there is no use in telling Redis anything.
    """

    def __init__(self, shared: SharedLimiter, is_away: Callable[[], bool]) -> None:
        self._shared = shared
        self._is_away = is_away
        self._endings: dict[UUID, Endings] = {}
        self._has_endings = asyncio.Event()
        self._teller = BackgroundTask("limits-settlement", self._keep_telling)

    def start(self) -> None:
        self._teller.start()

    async def stop(self) -> None:
        """Tell what is left, if that can be."""
        await self._teller.stop()
        if not self._is_away():
            await self._tell_all()

    def add(
        self,
        org_id: UUID,
        released: Sequence[tuple[str, str]] = (),
        settled: Sequence[tuple[str, int, int]] = (),
    ) -> None:
        """Take note of leases that are over, and of tokens whose number is known now, as in `Endings`."""
        if not released and not settled:
            return
        endings = self._endings.setdefault(org_id, Endings())
        if len(endings) < _CAPACITY:
            endings.released += released
            endings.settled += settled
        self._has_endings.set()

    def take(self, org_id: UUID) -> Endings:
        """What is to be told of an organization; whoever takes it tells it."""
        return self._endings.pop(org_id, None) or Endings()

    def failed(self, org_id: UUID, endings: Endings) -> None:
        """They may not have arrived. A release may be told twice; a difference must not be counted twice."""
        self.add(org_id, endings.released)

    def resume(self) -> None:
        """Redis is back."""
        self._has_endings.set()

    async def _keep_telling(self) -> None:
        while True:
            await self._has_endings.wait()
            await asyncio.sleep(_TELL_AFTER)
            self._has_endings.clear()
            if not self._is_away() and not await self._tell_all():
                await asyncio.sleep(_TRY_AGAIN_AFTER)

    async def _tell_all(self) -> bool:
        """Whether Redis has heard of everything that had ended."""
        is_told, organizations = True, iter(list(self._endings))
        while some := list(islice(organizations, _AT_ONCE)):
            is_told &= all(await asyncio.gather(*map(self._tell, some)))
        return is_told

    async def _tell(self, org_id: UUID) -> bool:
        endings = self.take(org_id)
        try:
            if len(endings):
                await self._shared.exchange(org_id, (), endings, within=PATIENCE)
        except AWAY:
            self.failed(org_id, endings)
            return False
        return True
