"""Passes events on and delivers them, for as long as its process runs."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from uuid import UUID

from ibex.notifications.attempting import Attempts, Task
from ibex.notifications.relay import Relay
from ibex.notifications.repository import claims
from ibex.storage import DatabaseUnavailableError, Postgres
from ibex.tasks import BackgroundTask

logger = logging.getLogger(__name__)

# Between two looks when nothing was to be done (seconds): so late is an event at most before its first
# attempt begins.
_PAUSE = 0.25
_LONGEST_PAUSE = 5.0
# Of the attempts that the others leave room for, an organization has no more under way than one in so many.
# So there is always room for one more, however slow the endpoints of the others are.
_SHARE = 4


class Courier:
    """Any number of processes may have one; each delivery is attempted by one of them at a time.

    Parameters
    ----------
    most: attempts under way at a time.
    pause: seconds between two looks when nothing was to be done.
    """

    def __init__(
        self,
        postgres: Postgres,
        relay: Relay,
        attempts: Attempts,
        clock: Callable[[], datetime],
        *,
        most: int,
        pause: float = _PAUSE,
    ) -> None:
        self._postgres = postgres
        self._relay = relay
        self._attempts = attempts
        self._clock = clock
        self._most = most
        self._pause = pause
        self._of_organization: Counter[UUID] = Counter()
        self._last_served: UUID | None = None
        self._under_way: set[asyncio.Task[None]] = set()
        self._is_free = asyncio.Event()
        self._is_stopping = False
        self._work = BackgroundTask("notifications", self._run)

    def start(self) -> None:
        self._work.start()

    async def stop(self, *, within: float) -> None:
        """Begin nothing more, and give attempts under way so many seconds; what is cut off is due again."""
        self._is_stopping = True
        self._is_free.set()
        await self._work.stop(within=1.0)
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=within)
        for task in list(self._under_way):
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)

    async def _run(self) -> None:
        pause = self._pause
        while not self._is_stopping:
            self._is_free.clear()
            try:
                has_worked = await self.look()
                pause = self._pause
            except DatabaseUnavailableError:
                if pause == self._pause:
                    logger.warning("notifications wait until the database is back")
                has_worked = False
                pause = min(2 * pause, _LONGEST_PAUSE)
            if not has_worked:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._is_free.wait(), pause)

    async def look(self) -> bool:
        """Go once round the organizations that have something to do; whether there was anything.

        It begins after the one that was served last, so that they take turns when there is not room for all.
        """
        has_worked = False
        start = org_id = self._last_served
        while (org_id := await self._next(org_id)) is not None:
            has_worked |= await self._serve(org_id)
        while start is not None and (org_id := await self._next(org_id)) is not None and org_id <= start:
            has_worked |= await self._serve(org_id)
        return has_worked

    async def _next(self, org_id: UUID | None) -> UUID | None:
        return await claims.next_organization(self._postgres, org_id, self._clock())

    async def _serve(self, org_id: UUID) -> bool:
        """Whether there was anything to do that there is room for."""
        passed_on = await self._relay.pass_on(org_id)
        free = self._most - len(self._under_way)
        held = self._of_organization[org_id]
        room = min(free, max(1, (free + held) // _SHARE) - held)
        if room <= 0:
            return passed_on > 0
        tasks = await self._attempts.claim(org_id, room)
        if tasks:
            self._last_served = org_id
        for task in tasks:
            self._begin(task)
        return passed_on > 0 or bool(tasks)

    def _begin(self, task: Task) -> None:
        self._of_organization[task.org_id] += 1
        attempt = asyncio.create_task(self._make(task), name="delivery")
        self._under_way.add(attempt)

        def end(done: asyncio.Task[None]) -> None:
            self._under_way.discard(done)
            self._of_organization[task.org_id] -= 1
            if not self._of_organization[task.org_id]:
                del self._of_organization[task.org_id]
            self._is_free.set()

        attempt.add_done_callback(end)

    async def _make(self, task: Task) -> None:
        """Nothing that one delivery meets with ends the others; its claim ends, and it is due again."""
        try:
            await self._attempts.make(task)
        except DatabaseUnavailableError as error:
            logger.warning("how a delivery went could not be stored (%s)", type(error).__name__)
        except Exception:
            logger.exception("a delivery failed")
