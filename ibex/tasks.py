"""Work in the background that goes on: an error that nobody foresaw is logged, and the work starts anew."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine
from threading import Thread
from typing import Any, Generic, TypeVar

logger = logging.getLogger(__name__)

Result = TypeVar("Result")

_CANCEL_AGAIN = 0.5


class BackgroundTask:
    """Keeps a coroutine function running until it returns or is stopped.

    Parameters
    ----------
    name: what the log calls it.
    run: the work; after an unexpected exception it is called again.
    pause: seconds before that, lest an error that stays fill the log.
    """

    def __init__(self, name: str, run: Callable[[], Awaitable[None]], *, pause: float = 1.0) -> None:
        self._name = name
        self._run = run
        self._pause = pause
        self._is_stopped = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._is_stopped = False
        self._task = asyncio.create_task(self._keep_running(), name=self._name)

    async def stop(self, *, within: float = 0.0) -> None:
        """Let it return by itself for `within` seconds, then cancel it. Raises nothing of what it raised."""
        if self._task is None:
            return
        await asyncio.wait([self._task], timeout=within)
        self._is_stopped = True
        while not self._task.done():
            # A library may swallow a cancellation, as redis-py does one that comes while it connects.
            self._task.cancel()
            await asyncio.wait([self._task], timeout=_CANCEL_AGAIN)

    async def _keep_running(self) -> None:
        while True:
            try:
                await self._run()
            except Exception:
                logger.exception("%s failed", self._name)
                if self._is_stopped:
                    return
                await asyncio.sleep(self._pause)
            else:
                return


class SharedTask(Generic[Result]):
    """One piece of work that many wait for, each for as long as it likes; none of them can end it.

    `asyncio.shield` searches a list of all that wait whenever one of them leaves: with thousands who give up
    at about the same time, that alone keeps the loop from the work that they wait for.

    Parameters
    ----------
    finished: told of this task once its work is over, one way or another.
    """

    def __init__(
        self,
        work: Coroutine[Any, Any, Result],
        name: str,
        finished: "Callable[[SharedTask[Result]], object]",
    ) -> None:
        self._finished = finished
        self._began_at = time.monotonic()
        self._waiting: list[asyncio.Future[None]] = []
        self._task = asyncio.create_task(work, name=name)
        self._task.add_done_callback(self._tell)

    @property
    def error(self) -> BaseException | None:
        """What the work has raised, once it is over; None too when it was cancelled."""
        return None if self._task.cancelled() else self._task.exception()

    async def result(self, within: float | None = None) -> Result:
        """What the work returns or raises; `TimeoutError` when that is not known `within` so many seconds.

        They count from its beginning: work that is late already is not waited for, so asking costs little.
        Without them, it is waited for until it is over.
        """
        if not self._task.done():
            remaining = None if within is None else self._began_at + within - time.monotonic()
            if remaining is not None and remaining <= 0:
                raise TimeoutError
            done = asyncio.get_running_loop().create_future()
            self._waiting.append(done)
            try:
                async with asyncio.timeout(remaining):
                    await done
            except TimeoutError:
                # On a loop that is behind, the time may have passed although the work was done in time.
                if not self._task.done():
                    raise
        return self._task.result()

    def _tell(self, task: "asyncio.Task[Result]") -> None:
        self._finished(self)
        for done in self._waiting:
            if not done.done():
                done.set_result(None)
        self._waiting.clear()
        if not task.cancelled():
            # Everybody may have given up; an exception nobody fetches would be logged with a trace.
            task.exception()


async def repeat(function: Callable[[], None], every: float) -> None:
    """Call a function every so many seconds, for ever."""
    while True:
        await asyncio.sleep(every)
        function()


async def run_in_thread(function: Callable[[], None], *, within: float) -> None:
    """Call a function that blocks, without blocking the loop; after `within` seconds it is left behind.

    A daemon, so that it does not keep the process from ending either.
    """
    thread = Thread(target=function, daemon=True)
    thread.start()
    await asyncio.to_thread(thread.join, within)
