"""Work in the background that goes on: an error that nobody foresaw is logged, and the work starts anew."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from threading import Thread

logger = logging.getLogger(__name__)

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
