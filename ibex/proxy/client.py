"""Notices when the client goes away, and ends the work that was being done for it."""

import asyncio
from types import TracebackType

from ibex.http import DISCONNECT, ClientGoneError, Receive, Scope


class ClientWatch:
    """While it is entered, the client's leaving cancels the block, which then raises `ClientGoneError`.

    Our own server tells of it through an extension of the scope. Another one tells only whoever keeps asking,
    which takes a task.
    """

    __slots__ = ("_gone", "_hook", "_owner", "_receive", "_watcher")

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self._hook = scope.get("extensions", {}).get(DISCONNECT)
        self._receive = receive
        self._gone = False
        self._owner: asyncio.Task[None] | None = None
        self._watcher: asyncio.Task[None] | None = None

    def __enter__(self) -> None:
        self._owner = asyncio.current_task()
        if self._hook is None:
            self._watcher = asyncio.create_task(self._watch(), name="client-watch")
        elif self._hook.is_gone:
            raise ClientGoneError
        else:
            self._hook.callback = self._leave

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        owner, self._owner = self._owner, None
        if self._hook is not None:
            self._hook.callback = None
        if self._watcher is not None:
            self._watcher.cancel()
        if self._gone and owner is not None and owner.uncancel() == 0 and kind is asyncio.CancelledError:
            raise ClientGoneError from None

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            continue
        self._leave()

    def _leave(self) -> None:
        if self._owner is not None:
            self._gone = True
            self._owner.cancel()
