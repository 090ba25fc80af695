"""A gate that lets a test decide when an answer goes on, without sleeping."""

import asyncio


class Gate:
    """Holds an answer back until it is stepped (once per waiter) or opened (for good).

    A fresh gate is closed. ``step`` and ``open`` are remembered, so calling them before anyone waits is fine.
    """

    def __init__(self) -> None:
        self._steps = asyncio.Semaphore(0)
        self._open = asyncio.Event()
        self._waiting = 0

    @property
    def waiting(self) -> int:
        """How many answers stand at the gate now."""
        return self._waiting

    async def wait(self) -> None:
        """Return at once when open, else take one step as soon as there is one."""
        self._waiting += 1
        try:
            await self._steps.acquire()
        finally:
            self._waiting -= 1
        if self._open.is_set():
            self._steps.release()

    def step(self, count: int = 1) -> None:
        """Let ``count`` waits pass."""
        for _ in range(count):
            self._steps.release()

    def open(self) -> None:
        """Let every wait pass, now and later."""
        self._open.set()
        self._steps.release()
