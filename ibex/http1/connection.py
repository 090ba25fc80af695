"""One connection: a request is written, its answer is parsed as it arrives, then the next may follow."""

import asyncio
from collections.abc import Callable
from typing import cast

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser
from multidict import CIMultiDict

from ibex.http1.answer import Answer
from ibex.http1.errors import BrokenAnswerError

_LARGEST_HEAD = 64 << 10


class StaleConnectionError(BrokenAnswerError):
    """A kept connection was closed by the provider, without a word, at the moment it was used again."""


class Connection(asyncio.Protocol):
    """Not shared: whoever has taken it from the pool has it until the answer ends.

    Parameters
    ----------
    released: called once the answer is over; the connection may be used again if it `is_reusable`.
    """

    __slots__ = (
        "_answer",
        "_has_answered",
        "_has_length",
        "_head",
        "_head_size",
        "_headers",
        "_is_reusable",
        "_parser",
        "_received",
        "_released",
        "_transport",
        "idle_since",
    )

    def __init__(self, released: Callable[["Connection"], None]) -> None:
        self._released = released
        self._transport: asyncio.Transport | None = None
        self._parser = HttpResponseParser(self)
        self._head: asyncio.Future[None] | None = None
        self._answer: Answer | None = None
        self._headers: CIMultiDict[str] = CIMultiDict()
        self._head_size = 0
        self._received = 0
        self._has_length = False
        self._has_answered = False
        self._is_reusable = False
        self.idle_since = 0.0

    @property
    def is_reusable(self) -> bool:
        return self._is_reusable and self._transport is not None and not self._transport.is_closing()

    async def ask(self, request: bytes) -> Answer:
        """Send a whole request and wait for the head of its answer.

        Raises `BrokenAnswerError`; `StaleConnectionError` when a kept connection ends before the first byte.
        """
        transport = self._transport
        if transport is None or transport.is_closing():
            self._released(self)
            raise self._failure("the connection was closed")
        self._is_reusable = False
        # By the time its head is looked at the answer may be over, and the next request be under way.
        head = self._head = asyncio.get_running_loop().create_future()
        self._answer = answer = Answer(self._resume, self.abort)
        self._received = 0
        transport.write(request)
        try:
            await head
        except asyncio.CancelledError:
            answer.close()
            raise
        return answer

    def abort(self) -> None:
        """Cut it off; what was under way is over."""
        if self._transport is not None:
            self._transport.abort()
        self._finish(BrokenAnswerError("the answer was given up"))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._is_reusable = True

    def data_received(self, data: bytes) -> None:
        if self._answer is None:
            # Nobody has asked for anything: whatever it is, the connection is of no more use.
            self.abort()
            return
        self._has_answered = False
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade:
            self._break_off("a change of protocol that nobody asked for")
        except (HttpParserError, BrokenAnswerError) as error:
            # What a callback below raises comes wrapped in the parser's own error.
            self._break_off(type(error).__name__)
        else:
            self._bound_head(len(data))

    def eof_received(self) -> None:
        """The provider has hung up, which ends an answer that has no other end (RFC 9112, section 6.3)."""
        if self._answer is not None and self._answer.status and not self._has_length:
            self._is_reusable = False
            self._finish(None)
        else:
            self._break_off("the provider hung up")

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is None:
            self.eof_received()
        else:
            self._break_off("the connection broke")

    def _bound_head(self, received: int) -> None:
        """The parser tells of complete headers only, and would gather one without an end for ever."""
        if self._answer is not None and not self._answer.status:
            self._received += received
            if self._received > _LARGEST_HEAD:
                self._break_off("the head is too large")

    # What the parser calls, in this order.

    def on_message_begin(self) -> None:
        if self._answer is None:
            # Bytes behind an answer must not be taken for the answer to the next request.
            raise BrokenAnswerError("more than was asked for")
        self._headers = CIMultiDict()
        self._head_size = 0
        self._has_length = False

    def on_header(self, name: bytes, value: bytes) -> None:
        self._head_size += len(name) + len(value)
        if self._head_size > _LARGEST_HEAD:
            raise BrokenAnswerError("the head is too large")
        if self._answer is not None and self._answer.status:
            # A trailer is not to be taken for a header (RFC 9110, section 6.5.1), and none is of use here.
            return
        text = name.decode("latin-1")
        if text.lower() in {"content-length", "transfer-encoding"}:
            self._has_length = True
        self._headers.add(text, value.decode("latin-1"))

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status < 200 or self._answer is None:
            return
        self._answer.begin(status, self._headers)
        if self._head is not None and not self._head.done():
            self._head.set_result(None)

    def on_body(self, body: bytes) -> None:
        if self._answer is not None and not self._answer.feed(body) and self._transport is not None:
            self._transport.pause_reading()

    def on_message_complete(self) -> None:
        if self._parser.get_status_code() < 200:
            return
        self._is_reusable = self._has_answered = self._parser.should_keep_alive()
        self._finish(None)

    def _break_off(self, reason: str) -> None:
        self._is_reusable = False
        if self._transport is not None and not self._transport.is_closing():
            self._transport.abort()
        self._finish(self._failure(reason))

    def _failure(self, reason: str) -> BrokenAnswerError:
        return StaleConnectionError(reason) if self._has_answered else BrokenAnswerError(reason)

    def _finish(self, error: BrokenAnswerError | None) -> None:
        """End the answer, once, and give the connection back."""
        answer, self._answer = self._answer, None
        head, self._head = self._head, None
        if answer is None:
            return
        if error is None:
            answer.end()
        else:
            answer.fail(error)
            if head is not None and not head.done():
                head.set_exception(error)
        if self._transport is not None and not self._transport.is_closing():
            if self._is_reusable:
                self._transport.resume_reading()
            else:
                self._transport.close()
        self._released(self)

    def _resume(self) -> None:
        if self._answer is not None and self._transport is not None:
            self._transport.resume_reading()
