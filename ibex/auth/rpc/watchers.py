"""Streams that anybody may open and leave open."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

from grpc import StatusCode

_MOST = 100
_LAST_WORDS = 0.1


class Watchers:
    """Lets so many streams in, lest strangers fill the memory with them, and ends them at a stop."""

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._streams: set[asyncio.Task[Any]] = set()

    @asynccontextmanager
    async def one_more(self, context: Any) -> AsyncIterator[None]:
        """Ends the call with RESOURCE_EXHAUSTED when there are too many."""
        if len(self._streams) >= self._most:
            await context.abort(StatusCode.RESOURCE_EXHAUSTED, "Too many streams are open.")
        stream = cast("asyncio.Task[Any]", asyncio.current_task())
        self._streams.add(stream)
        try:
            yield
        finally:
            self._streams.discard(stream)

    async def send_away(self) -> None:
        """End what is open, once what was just written to it has left."""
        if self._streams:
            await asyncio.sleep(_LAST_WORDS)
        for stream in self._streams:
            stream.cancel()
