"""Limits on how long a request may wait, cheap enough to set before every wait.

A timer of its own for each wait of each request costs more than most of the waits. Here a request has one
deadline that is moved as it goes from wait to wait, and one task per process looks at all of them.
"""

import asyncio
from types import TracebackType
from typing import Self

from ibex.tasks import BackgroundTask

_RESOLUTION = 0.05
_NEVER = float("inf")


class Deadline:
    """The deadline of the current task, as a context manager: `with deadline.within(5.0): await …`.

    When the time has passed, up to 50 ms later, what is awaited is cancelled and the block raises
    `TimeoutError`.
    """

    __slots__ = ("_expired", "_loop", "_task", "at")

    def __init__(self, loop: asyncio.AbstractEventLoop, task: "asyncio.Task[None]") -> None:
        self._loop = loop
        self._task = task
        self._expired = False
        self.at = _NEVER

    def within(self, seconds: float) -> Self:
        """Begin to count, or count anew from now."""
        self.at = self._loop.time() + seconds
        return self

    def expire(self) -> None:
        self.at = _NEVER
        self._expired = True
        self._task.cancel()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.at = _NEVER
        if self._expired:
            self._expired = False
            if self._task.uncancel() == 0 and kind is asyncio.CancelledError:
                raise TimeoutError from None


class Deadlines:
    """All deadlines of a process."""

    def __init__(self) -> None:
        self._open: set[Deadline] = set()
        self._watcher = BackgroundTask("deadlines", self._watch)

    def start(self) -> None:
        self._watcher.start()

    async def stop(self) -> None:
        await self._watcher.stop()

    def open(self) -> Deadline:
        """A deadline for the current task, which must `close` it."""
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a deadline belongs to a task")
        deadline = Deadline(task.get_loop(), task)
        self._open.add(deadline)
        return deadline

    def close(self, deadline: Deadline) -> None:
        self._open.discard(deadline)

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_RESOLUTION)
            now = loop.time()
            for deadline in [deadline for deadline in self._open if deadline.at < now]:
                deadline.expire()
