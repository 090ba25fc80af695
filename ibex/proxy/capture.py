"""Keeps a copy of what is forwarded and, once it is over, reads from it what the answer was and cost."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Literal

import orjson

UsageSource = Literal["provider", "estimated", "none"]

# Of a stream beyond this only the first block is kept, which names the model, and the last, with the usage.
LARGEST_STREAM_KEPT = 4 << 20
# Pieces are counted a block at a time, 0.3 ms each, so that no stream stops the loop at its end.
_BLOCK = 64 << 10
# Usage and finish reason stand in the last events; a provider may add a few of its own behind them.
_EVENTS_FROM_END = 8
# A comment or two may follow the end.
_TAIL = 64
# At the start of a line, because a model may well say it too.
_DONE = re.compile(rb"[\r\n]data: ?\[DONE\]")
# What an event of a stream that was cut off counts for: text, reasoning, or a piece of a tool's arguments; an
# event that has several of them, which stand in one line, counts once.
_PIECE = re.compile(rb'"(?:content|reasoning|reasoning_content|arguments)": ?"[^"][^\r\n]*')


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call. Estimated ones count the pieces of an answer that ended without a report."""

    source: UsageSource = "none"
    input: int | None = None
    cached: int | None = None
    output: int | None = None


@dataclass(frozen=True, slots=True)
class Summary:
    """What an answer says about itself."""

    usage: Usage
    model: str | None
    finish_reason: str | None


_NOTHING = Summary(Usage(), None, None)


class Capture:
    """The copy of one answer. Feeding it costs a hash and an append; reading it comes after the answer."""

    __slots__ = ("_blocks", "_chunks", "_hash", "_is_stream", "_pieces", "_recent", "_summary", "size")

    def __init__(self) -> None:
        # The first `_blocks` of the chunks are blocks whose pieces have been counted.
        self._chunks: list[bytes] = []
        self._blocks = 0
        self._recent = 0
        self._pieces = 0
        self._hash = sha256()
        self._is_stream = False
        self._summary: Summary | None = None
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
        self._summary = _summary_of_object(answer)

    def hexdigest(self) -> str:
        """SHA-256 of everything fed."""
        return self._hash.hexdigest()

    def body(self) -> bytes | None:
        """Everything fed, or None when it was a stream of more than `LARGEST_STREAM_KEPT`."""
        whole = b"".join(self._chunks)
        return whole if len(whole) == self.size else None

    def is_done(self) -> bool:
        """Whether a stream said that it is complete."""
        return self._is_stream and _DONE.search(self._tail()) is not None

    def has_ended_well(self) -> bool:
        """Whether a stream reached its end: `[DONE]`, or a finish reason from a provider that omits it."""
        return self.is_done() or self.summary().finish_reason is not None

    def summary(self) -> Summary:
        """Read the copy, once nothing more will be fed.

        What the provider did not report stays None, or is estimated for a stream.
        """
        if self._summary is None:
            self._summary = self._summary_of_stream() if self._is_stream else _NOTHING
        return self._summary

    def _fold(self) -> None:
        """Make a block of the chunks since the last one, up to a line's end."""
        recent = b"".join(self._chunks[self._blocks :])
        end = recent.rfind(b"\n") + 1 or len(recent)
        self._pieces += _pieces(recent, end)
        self._chunks[self._blocks :] = [recent[:end], recent[end:]]
        self._recent = len(recent) - end
        self._blocks += 1
        if self.size > LARGEST_STREAM_KEPT and self._blocks > 2:
            del self._chunks[1 : self._blocks - 1]
            self._blocks = 2

    def _tail(self) -> bytes:
        """The end of a stream; what it begins with begins a line."""
        tail = b""
        for chunk in reversed(self._chunks):
            tail = chunk[-_TAIL:] + tail
            if len(tail) >= _TAIL:
                return tail
        return b"\n" + tail

    def _summary_of_stream(self) -> Summary:
        """Read from the end, where the usage and the finish reason are; the first event names the model."""
        recent = b"".join(self._chunks[self._blocks :])
        last = self._chunks[self._blocks - 1] + recent if self._blocks else recent
        events = _events(last)
        usage: Usage | None = None
        finish_reason: str | None = None
        for event in map(_parse, reversed(events[-_EVENTS_FROM_END:])):
            if event is not None:
                usage = usage or _usage(event.get("usage"))
                finish_reason = finish_reason or _finish_reason(event)
        if self._blocks > 1:
            events = _events(self._chunks[0])
        if usage is None and events:
            usage = Usage("estimated", output=self._pieces + _pieces(recent, len(recent)))
        first = _parse(events[0]) if events else None
        return Summary(usage or Usage(), _text(first.get("model")) if first else None, finish_reason)


def _summary_of_object(answer: Mapping[str, Any]) -> Summary:
    return Summary(_usage(answer.get("usage")) or Usage(), _text(answer.get("model")), _finish_reason(answer))


def _events(data: bytes) -> list[bytes]:
    """What stands behind `data:` in each line, without the mark of the end."""
    lines = data.splitlines()
    return [line[5:] for line in lines if line.startswith(b"data:") and b"[DONE]" not in line[:16]]


def _pieces(data: bytes, end: int) -> int:
    return len(_PIECE.findall(data, 0, end))


def _parse(data: bytes) -> Mapping[str, Any] | None:
    try:
        parsed = orjson.loads(data)
    except orjson.JSONDecodeError:
        return None
    return parsed if isinstance(parsed, dict) else None


def _usage(reported: object) -> Usage | None:
    if not isinstance(reported, dict):
        return None
    details = reported.get("prompt_tokens_details")
    return Usage(
        "provider",
        input=_count(reported.get("prompt_tokens")),
        cached=_count(details.get("cached_tokens")) if isinstance(details, dict) else None,
        output=_count(reported.get("completion_tokens")),
    )


def _finish_reason(answer: Mapping[str, Any]) -> str | None:
    choices = answer.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        return None
    return _text(choices[0].get("finish_reason"))


def _text(value: object) -> str | None:
    return value[:256].replace("\x00", "") if isinstance(value, str) else None


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 31 else None
