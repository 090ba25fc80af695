"""Keeps a copy of what is forwarded and, once it is over, reads from it what the answer was and cost."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Literal

import orjson

UsageSource = Literal["provider", "estimated", "none"]

# Beyond this the beginning is kept for the model's name and the end for the usage; the middle is only hashed.
_KEPT = 4 << 20
_KEPT_END = 64 << 10
# Usage and finish reason stand in the last events; a provider may add a few of its own behind them.
_EVENTS_FROM_END = 8
# A comment or two may follow the end.
_TAIL = 64
# At the start of a line, because a model may well say it too.
_DONE = re.compile(rb"(?:^|[\r\n])data: ?\[DONE\]")
# What an event of a stream that was cut off counts for: text, reasoning, or a piece of a tool's arguments.
_PIECE = re.compile(rb'"(?:content|reasoning|reasoning_content|arguments)": ?"[^"]')


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


class Capture:
    """The copy of one answer. Feeding it costs a hash and an append; reading it comes after the answer."""

    __slots__ = ("_chunks", "_hash", "_is_stream", "_kept", "size")

    def __init__(self) -> None:
        self._chunks: list[bytes] = []
        self._kept = 0
        self._hash = sha256()
        self._is_stream = False
        self.size = 0

    def feed(self, chunk: bytes, *, is_stream: bool) -> None:
        self._is_stream = is_stream
        self._hash.update(chunk)
        self.size += len(chunk)
        self._chunks.append(chunk)
        self._kept += len(chunk)
        if self._kept > _KEPT:
            whole = b"".join(self._chunks)
            self._chunks = [whole[:_KEPT_END], b"\n", whole[-_KEPT_END:]]
            self._kept = 2 * _KEPT_END

    def hexdigest(self) -> str:
        """SHA-256 of everything fed."""
        return self._hash.hexdigest()

    def body(self) -> bytes | None:
        """Everything fed, or None when it was too much to keep."""
        whole = b"".join(self._chunks)
        return whole if len(whole) == self.size else None

    def is_done(self) -> bool:
        """Whether a stream said that it is complete."""
        return self._is_stream and _DONE.search(self._tail()) is not None

    def has_ended_well(self) -> bool:
        """Whether a stream reached its end: `[DONE]`, or a finish reason from a provider that omits it."""
        return self.is_done() or self.summary().finish_reason is not None

    def _tail(self) -> bytes:
        tail = b""
        for chunk in reversed(self._chunks):
            tail = chunk[-_TAIL:] + tail
            if len(tail) >= _TAIL:
                break
        return tail

    def summary(self) -> Summary:
        """Read the copy. What the provider did not report stays None, or is estimated for a stream."""
        data = b"".join(self._chunks)
        return _summary_of_stream(data) if self._is_stream else _summary_of_object(_parse(data))


def _summary_of_object(answer: Mapping[str, Any] | None) -> Summary:
    if answer is None:
        return Summary(Usage(), None, None)
    return Summary(_usage(answer.get("usage")) or Usage(), _text(answer.get("model")), _finish_reason(answer))


def _summary_of_stream(data: bytes) -> Summary:
    """Read from the end, where the usage and the finish reason are; the first event names the model."""
    lines = [line for line in data.splitlines() if line.startswith(b"data:") and b"[DONE]" not in line[:16]]
    usage: Usage | None = None
    finish_reason: str | None = None
    for line in reversed(lines[-_EVENTS_FROM_END:]):
        event = _parse(line[5:])
        if event is not None:
            usage = usage or _usage(event.get("usage"))
            finish_reason = finish_reason or _finish_reason(event)
    first = _parse(lines[0][5:]) if lines else None
    if usage is None and lines:
        pieces = sum(1 for line in lines if _PIECE.search(line))
        usage = Usage("estimated", output=pieces)
    return Summary(usage or Usage(), _text(first.get("model")) if first else None, finish_reason)


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
