"""A stretch of time."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

# What an open end is compared as.
_BEGINNING = datetime.min.replace(tzinfo=UTC)
_END = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Interval:
    """From `start`, which is in it, to `end`, which is not; None is an open end.

    Both are aware. Raises ValueError when one is naive or the interval is empty.
    """

    start: datetime | None = None
    end: datetime | None = None

    def __post_init__(self) -> None:
        for bound in (self.start, self.end):
            if bound is not None and bound.tzinfo is None:
                raise ValueError("The bounds of an interval need a time zone.")
        if self._from >= self._to:
            raise ValueError("An interval ends after it starts.")

    @property
    def _from(self) -> datetime:
        return _BEGINNING if self.start is None else self.start

    @property
    def _to(self) -> datetime:
        return _END if self.end is None else self.end

    def contains(self, moment: datetime) -> bool:
        """Whether a moment (aware) is in it."""
        return (self.start is None or self.start <= moment) and (self.end is None or moment < self.end)

    def overlaps(self, other: Self) -> bool:
        """Whether the two share a moment; touching is not sharing."""
        return self._from < other._to and other._from < self._to

    def intersection(self, other: Self) -> Self | None:
        """What both hold, or None."""
        if not self.overlaps(other):
            return None
        start = self.start if self._from >= other._from else other.start
        end = self.end if self._to <= other._to else other.end
        return type(self)(start, end)

    @classmethod
    def merge(cls, intervals: Iterable[Self]) -> tuple[Self, ...]:
        """The same moments in the fewest intervals, in order of time; touching ones become one."""
        merged: list[Self] = []
        for interval in sorted(intervals, key=lambda each: each._from):
            if merged and interval._from <= merged[-1]._to:
                if interval._to > merged[-1]._to:
                    merged[-1] = cls(merged[-1].start, interval.end)
            else:
                merged.append(interval)
        return tuple(merged)
