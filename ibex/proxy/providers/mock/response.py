"""An answer that is made while it is read."""

import asyncio
from collections.abc import Iterator
from itertools import islice
from typing import Final

from multidict import CIMultiDict

from ibex.http1 import BrokenAnswerError

JSON: Final = "application/json"
EVENT_STREAM: Final = "text/event-stream; charset=utf-8"


class MockResponse:
    """Hands out one chunk per read, which for a stream is one server-sent event.

    Parameters
    ----------
    pause
        Seconds before each chunk; at zero a read still lets the event loop run once.
    """

    __slots__ = ("_chunks", "_closed", "_complete", "_pause", "headers", "status")

    def __init__(
        self, status: int, headers: CIMultiDict[str], chunks: Iterator[bytes], pause: float = 0.0
    ) -> None:
        self.status = status
        self.headers = headers
        self._chunks = chunks
        self._pause = pause
        self._complete = False
        self._closed = False

    @property
    def is_complete(self) -> bool:
        return self._complete

    async def read_chunk(self) -> bytes:
        await asyncio.sleep(0 if self._complete else self._pause)
        if self._closed and not self._complete:
            raise BrokenAnswerError("the answer was closed before it was complete")
        chunk = next(self._chunks, b"")
        self._complete = not chunk
        return chunk

    def close(self) -> None:
        self._closed = True


def broken_off(chunks: Iterator[bytes], *, streams: bool) -> Iterator[bytes]:
    """The beginning of an answer whose connection is then lost."""
    if streams:
        # Every stream has at least one event more.
        yield from islice(chunks, 2)
    else:
        beginning = next(chunks)
        yield beginning[: len(beginning) // 2]
    raise BrokenAnswerError("the mock model was asked to break off")
