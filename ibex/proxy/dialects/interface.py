"""What differs from one dialect to the other in reading an answer."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from ibex.errors import Dialect

UsageSource = Literal["provider", "estimated", "none"]

Object = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call. Estimated ones count the pieces of an answer that ended without a report.

    `input` is everything that was read, whether a cache of the provider's had it or not; `cached` is the part
    of it that a cache had.
    """

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
    fingerprint: str | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """What an answer says and does, as far as it was kept.

    Parameters
    ----------
    text: what is said to the user, without reasoning and calls of tools.
    tools: names of the tools that are called, in their order.
    is_refusal: whether it says of itself that it is one.
    """

    text: str = field(repr=False)
    tools: tuple[str, ...]
    is_refusal: bool


@dataclass(frozen=True, slots=True)
class Interface:
    """One dialect, as far as IBEX has to know it.

    Parameters
    ----------
    forwards: the client's headers that a provider is told, in lower case, each with the name it goes under.
    end: what stands in the last event of a stream that is complete; searched for in its last `tail` bytes.
    ends_with_its_reason: whether a stream counts as complete that has a finish reason and lacks that event.
    piece: an event that counts as one token of a stream that was cut off.
    object_summary: read from an answer that came as a whole.
    stream_summary: read from the first events of a stream and from its last ones, both in order. Usage that
        was not reported in full has no `output`.
    refusals: the finish reasons of answers that were refused.
    object_said, stream_said: read from an answer that came as a whole, and from all events of a stream.
    object_message, stream_message: the message of the dialect that the answer is, read likewise.
    """

    dialect: Dialect
    forwards: Mapping[bytes, str]
    end: re.Pattern[bytes]
    tail: int
    ends_with_its_reason: bool
    piece: re.Pattern[bytes]
    object_summary: Callable[[Object], Summary]
    stream_summary: Callable[[Sequence[Object], Sequence[Object]], Summary]
    refusals: frozenset[str]
    object_said: Callable[[Object], Said]
    stream_said: Callable[[Iterable[Object]], Said]
    object_message: Callable[[Object], Any]
    stream_message: Callable[[Iterable[Object]], Any]


# Longer names are nobody's, and more calls than these in one answer tell nothing more.
_LONGEST_TOOL = 128
_MOST_TOOLS = 128


def tool_names(names: Iterable[object]) -> tuple[str, ...]:
    """Names of tools that can be stored."""
    told = [name[:_LONGEST_TOOL].replace("\x00", "") for name in names if isinstance(name, str) and name]
    return tuple(told[:_MOST_TOOLS])


def label(value: object) -> str | None:
    """A short text of a provider's that can be stored."""
    return value[:256].replace("\x00", "") if isinstance(value, str) else None


def count(value: object) -> int | None:
    """A number of tokens that can be stored."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 31 else None


def objects(value: object) -> list[Object]:
    """The objects of a list; nothing when it is none."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
