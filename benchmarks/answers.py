"""Reads one HTTP answer with as little work as checking it allows."""

from typing import Protocol

EVENTS = 50
END_OF_HEAD = b"\r\n\r\n"
LAST_CHUNK = b"\r\n0\r\n\r\n"


class Answer(Protocol):
    """An answer that is being read."""

    fault: str | None

    def feed(self, data: bytes, now: float) -> bool:
        """Take what has arrived; True when the answer is complete."""


class WholeAnswer:
    """A JSON answer; ``fault`` says what is wrong with it once it is complete."""

    __slots__ = ("_buffer", "_length", "fault")

    def __init__(self) -> None:
        self._buffer = b""
        self._length = -1
        self.fault: str | None = None

    def feed(self, data: bytes, now: float) -> bool:
        """Take what has arrived; True when the answer is complete."""
        self._buffer += data
        if self._length < 0:
            end = self._buffer.find(END_OF_HEAD)
            if end < 0:
                return False
            length = content_length(self._buffer[:end])
            if length is None:
                return self._feed_chunked()
            self._length = end + len(END_OF_HEAD) + length
        return len(self._buffer) >= self._length and self._check()

    def _feed_chunked(self) -> bool:
        return self._buffer.endswith(LAST_CHUNK) and self._check()

    def _check(self) -> bool:
        if not self._buffer.startswith(b"HTTP/1.1 200 ") or b'"choices"' not in self._buffer:
            self.fault = self._buffer[:300].decode("latin-1")
        return True


class StreamAnswer:
    """An event stream; right when it has 50 ``data:`` events and then ``[DONE]``."""

    __slots__ = ("_parts", "_tail", "events", "fault", "first_event_at")

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._tail = b""
        self.events = 0
        self.first_event_at = 0.0
        self.fault: str | None = None

    def feed(self, data: bytes, now: float) -> bool:
        """Take what has arrived; True when the answer is complete."""
        self._parts.append(data)
        if not self.first_event_at:
            received = b"".join(self._parts)
            end = received.find(END_OF_HEAD)
            if b"data:" in received:
                self.first_event_at = now
            elif end >= 0 and (length := content_length(received[:end])) is not None:
                self.fault = received[:300].decode("latin-1")
                return len(received) >= end + len(END_OF_HEAD) + length
        self._tail = (self._tail + data)[-len(LAST_CHUNK) :]
        return self._tail == LAST_CHUNK and self._check(now)

    def _check(self, now: float) -> bool:
        received = b"".join(self._parts)
        # A gateway that cuts events into tiny HTTP chunks shows no "data:" before the framing is undone.
        self.first_event_at = self.first_event_at or now
        events = received.count(b"data: {")
        if events != EVENTS or b"data: [DONE]" not in received:
            # An event may be cut by the framing of the HTTP chunks.
            body = dechunk(received[received.find(END_OF_HEAD) + len(END_OF_HEAD) :])
            events = body.count(b"data: {")
            if not body.endswith(b"data: [DONE]\n\n"):
                self.fault = f"{events} events and no [DONE]: {received[:300].decode('latin-1')}"
        if events != EVENTS and self.fault is None:
            self.fault = f"{events} events instead of {EVENTS}"
        self.events = events
        return True


def dechunk(body: bytes) -> bytes:
    """The content of a chunked body."""
    parts = []
    while body:
        size, _, rest = body.partition(b"\r\n")
        length = int(size, 16)
        parts.append(rest[:length])
        body = rest[length + 2 :] if length else b""
    return b"".join(parts)


def content_length(head: bytes) -> int | None:
    """The length a response's head declares, or None."""
    lower = head.lower()
    at = lower.find(b"\r\ncontent-length:")
    if at < 0:
        return None
    end = lower.find(b"\r\n", at + 2)
    return int(lower[at + 17 : end if end > 0 else None])
