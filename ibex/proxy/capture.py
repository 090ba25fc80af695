"""Keeps a copy of what is forwarded and, once it is over, reads from it what the answer was and cost."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Any

import orjson

from ibex.proxy.dialects import OPENAI, Interface, Said, Summary, Usage

# Of a stream beyond this only the first block is kept, which names the model, and the last, with the usage.
LARGEST_STREAM_KEPT = 4 << 20
# Pieces are counted a block at a time, 0.3 ms each, so that no stream stops the loop at its end.
_BLOCK = 64 << 10
# Usage and finish reason stand in the last events; a provider may add a few of its own behind them.
_EVENTS_FROM_END = 8
# The model is in the first event, or behind a sign of life or two.
_EVENTS_FROM_START = 3

_NOTHING = Summary(Usage(), None, None)


class Capture:
    """The copy of one answer. Feeding it costs a hash and an append; reading it comes after the answer."""

    __slots__ = (
        "_answer",
        "_blocks",
        "_chunks",
        "_hash",
        "_interface",
        "_is_stream",
        "_pieces",
        "_recent",
        "_said",
        "_summary",
        "size",
    )

    def __init__(self, interface: Interface = OPENAI) -> None:
        self._interface = interface
        # The first `_blocks` of the chunks are blocks whose pieces have been counted.
        self._chunks: list[bytes] = []
        self._blocks = 0
        self._recent = 0
        self._pieces = 0
        self._hash = sha256()
        self._is_stream = False
        self._answer: Mapping[str, Any] = {}
        self._summary: Summary | None = None
        self._said: Said | None = None
        self.size = 0

    def feed(self, chunk: bytes) -> None:
        """The next part of a stream."""
        self._is_stream = True
        self._hash.update(chunk)
        self.size += len(chunk)
        self._chunks.append(chunk)
        self._recent += len(chunk)
        if self._recent > _BLOCK:
            self._fold()

    def feed_object(self, body: bytes, answer: Mapping[str, Any]) -> None:
        """An answer that came as a whole, as it was sent and as it was parsed."""
        self._hash.update(body)
        self.size = len(body)
        self._chunks = [body]
        self._answer = answer
        self._summary = self._interface.object_summary(answer)

    def hexdigest(self) -> str:
        """SHA-256 of everything fed."""
        return self._hash.hexdigest()

    def body(self) -> bytes | None:
        """Everything fed, or None when it was a stream of more than `LARGEST_STREAM_KEPT`."""
        whole = b"".join(self._chunks)
        return whole if len(whole) == self.size else None

    def is_done(self) -> bool:
        """Whether a stream said that it is complete."""
        return self._is_stream and self._interface.end.search(self._tail()) is not None

    def has_ended_well(self) -> bool:
        """Whether a stream reached its end, or has a finish reason where a provider may omit the end."""
        if self.is_done():
            return True
        return self._interface.ends_with_its_reason and self.summary().finish_reason is not None

    def summary(self) -> Summary:
        """Read the copy, once nothing more will be fed.

        What the provider did not report stays None, or is estimated for a stream.
        """
        if self._summary is None:
            self._summary = self._summary_of_stream() if self._is_stream else _NOTHING
        return self._summary

    def said(self) -> Said:
        """What the answer says and does, read once; of a stream whose copy is not whole, its two ends."""
        if self._said is None:
            if self._is_stream:
                self._said = self._interface.stream_said(_parsed(_events(b"".join(self._chunks))))
            else:
                self._said = self._interface.object_said(self._answer)
        return self._said

    def text(self) -> str:
        """What the answer says to the user; nothing when the copy is not whole."""
        return "" if self.body() is None else self.said().text

    def message(self) -> Any:
        """The answer as a message of its dialect; None when the copy is not whole. Read anew each time."""
        whole = self.body()
        if whole is None:
            return None
        if self._is_stream:
            return self._interface.stream_message(_parsed(_events(whole)))
        return self._interface.object_message(self._answer)

    def is_refused(self) -> bool:
        """Whether the model, or a filter of its provider's, refused to answer."""
        return self.summary().finish_reason in self._interface.refusals or self.said().is_refusal

    def _fold(self) -> None:
        """Make a block of the chunks since the last one, up to a line's end."""
        recent = b"".join(self._chunks[self._blocks :])
        end = recent.rfind(b"\n") + 1 or len(recent)
        self._pieces += self._count_pieces(recent, end)
        self._chunks[self._blocks :] = [recent[:end], recent[end:]]
        self._recent = len(recent) - end
        self._blocks += 1
        if self.size > LARGEST_STREAM_KEPT and self._blocks > 2:
            del self._chunks[1 : self._blocks - 1]
            self._blocks = 2

    def _tail(self) -> bytes:
        """The end of a stream; what it begins with begins a line."""
        tail, size = b"", self._interface.tail
        for chunk in reversed(self._chunks):
            tail = chunk[-size:] + tail
            if len(tail) >= size:
                return tail
        return b"\n" + tail

    def _summary_of_stream(self) -> Summary:
        recent = b"".join(self._chunks[self._blocks :])
        last = self._chunks[self._blocks - 1] + recent if self._blocks else recent
        events = _events(last)
        opening = _events(self._chunks[0]) if self._blocks > 1 else events
        summary = self._interface.stream_summary(
            _parsed(opening[:_EVENTS_FROM_START]), _parsed(events[-_EVENTS_FROM_END:])
        )
        if summary.usage.output is None and opening:
            pieces = self._pieces + self._count_pieces(recent, len(recent))
            usage = replace(summary.usage, source="estimated", output=pieces)
            return replace(summary, usage=usage)
        return summary

    def _count_pieces(self, data: bytes, end: int) -> int:
        return len(self._interface.piece.findall(data, 0, end))


def _events(data: bytes) -> list[bytes]:
    """What stands behind `data:` in each line, without the mark of the end."""
    lines = data.splitlines()
    return [line[5:] for line in lines if line.startswith(b"data:") and b"[DONE]" not in line[:16]]


def _parsed(events: Sequence[bytes]) -> list[Mapping[str, Any]]:
    """Those that are objects."""
    found: list[Mapping[str, Any]] = []
    for event in events:
        try:
            parsed = orjson.loads(event)
        except orjson.JSONDecodeError:
            continue
        if isinstance(parsed, dict):
            found.append(parsed)
    return found
