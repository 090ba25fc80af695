"""Notices when the client goes away, and ends the work that was being done for it."""

import asyncio
from types import TracebackType

from ibex.http import Receive
from ibex.proxy.request import ClientGoneError


class ClientWatch:
    """While it is entered, the client's leaving cancels the block, which then raises `ClientGoneError`.

    ASGI tells of it only to whoever asks, so somebody must be asking all the time.
    """

    __slots__ = ("_gone", "_owner", "_receive", "_watcher")

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._gone = False
        self._owner: asyncio.Task[None] | None = None
        self._watcher: asyncio.Task[None] | None = None

    async def __aenter__(self) -> None:
        self._owner = asyncio.current_task()
        self._watcher = asyncio.create_task(self._watch(), name="client-watch")

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        owner, self._owner = self._owner, None
        if self._watcher is not None:
            self._watcher.cancel()
        if self._gone and owner is not None:
            owner.uncancel()
            if kind is asyncio.CancelledError and owner.cancelling() == 0:
                raise ClientGoneError from None

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            continue
        if self._owner is not None:
            self._gone = True
            self._owner.cancel()
