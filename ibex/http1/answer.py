"""One answer, filled by its connection and emptied by whoever reads it."""

import asyncio
from collections.abc import Callable

from multidict import CIMultiDict

from ibex.http1.decompression import Decompression
from ibex.http1.errors import BrokenAnswerError

# Beyond this many bytes that nobody has read the provider is kept waiting.
_HIGH_WATER = 256 << 10


class Answer:
    """The head and the body of an answer; a slow reader slows the provider.

    Parameters
    ----------
    resume: lets the connection read on.
    abandon: ends the connection, because the rest of the answer is not wanted.
    """

    __slots__ = (
        "_abandon",
        "_body",
        "_decompression",
        "_error",
        "_is_ended",
        "_is_full",
        "_reader",
        "_resume",
        "_size",
        "headers",
        "status",
    )

    def __init__(self, resume: Callable[[], None], abandon: Callable[[], None]) -> None:
        self._resume = resume
        self._abandon = abandon
        self._body: list[bytes] = []
        self._size = 0
        self._decompression: Decompression | None = None
        self._error: BrokenAnswerError | None = None
        self._is_ended = False
        self._is_full = False
        self._reader: asyncio.Future[None] | None = None
        self.status = 0
        self.headers: CIMultiDict[str] = CIMultiDict()

    @property
    def is_complete(self) -> bool:
        return self._is_ended and not self._body and self._error is None

    async def read_chunk(self) -> bytes:
        """What has arrived and was not read yet, `b""` at the end. Raises `BrokenAnswerError`."""
        while not self._body:
            if self._error is not None:
                raise self._error
            if self._is_ended:
                return b""
            self._reader = asyncio.get_running_loop().create_future()
            try:
                await self._reader
            finally:
                self._reader = None
        body = self._body
        chunk = body[0] if len(body) == 1 else b"".join(body)
        body.clear()
        self._size = 0
        if self._is_full:
            self._is_full = False
            self._resume()
        return chunk

    def close(self) -> None:
        """Give up what is not read. A complete answer has given its connection back already."""
        if not self._is_ended:
            self._is_ended = True
            self._body.clear()
            self._abandon()

    def begin(self, status: int, headers: CIMultiDict[str]) -> None:
        """The head has arrived. Raises `BrokenAnswerError` for an encoding that was not asked for."""
        self.status = status
        self.headers = headers
        encoding = headers.get("Content-Encoding", "identity").strip().lower()
        if encoding in {"gzip", "x-gzip", "deflate"}:
            self._decompression = Decompression()
        elif encoding != "identity":
            raise BrokenAnswerError("an encoding that was not asked for")

    def feed(self, data: bytes) -> bool:
        """More of the body; False when enough has gathered. Raises `BrokenAnswerError`."""
        if self._decompression is not None:
            data = self._decompression.feed(data)
        if data:
            self._body.append(data)
            self._size += len(data)
            self._wake()
        self._is_full = self._size > _HIGH_WATER
        return not self._is_full

    def end(self) -> None:
        """No more bytes belong to the body."""
        if self._decompression is not None and self._decompression.is_cut_short:
            self.fail(BrokenAnswerError("the compressed body is cut short"))
        self._is_ended = True
        self._wake()

    def fail(self, error: BrokenAnswerError) -> None:
        """There will be no more, although there should be."""
        if not self._is_ended:
            self._is_ended = True
            self._error = error
            self._wake()

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)
