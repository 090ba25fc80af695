"""A shape that a time takes in a text, and how it is read."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice

from ibex.memory.time.periods import Period
from ibex.memory.time.tense import Tense, tense_at

_PREPOSITION = re.compile(
    r"\b(?:(ever since|since|as of|up until|until|till|up to|through|from|between|to|and|by|before|after|"
    r"back in|in|on|during|over|for|at|of)|(?<!\bam )(?<!'m )(?<!\bis )(?<!'s )(?<!\bare )(?<!'re )(?<!\bbe )"
    r"(starting|effective)(?: on| in| from)?)\s+$",
    re.IGNORECASE,
)
_LONGEST_PREPOSITION = len("are effective from  ")
# What has more dates of one form is a log or a calendar; a bound keeps the cost of reading one small.
_MOST = 50
# They make sense only after another time: "to" and "and" bind the second half of a range.
_SECOND_HALF = ("to", "and", "through", "up to")
_END_OF_RANGE = (*_SECOND_HALF, "until", "till")


@dataclass(frozen=True, slots=True)
class Moment:
    """From where a text looks at a time, and the preposition before it, small and perhaps empty."""

    observed_at: datetime
    tense: Tense
    preposition: str

    def looking(self) -> "Moment":
        """With what the preposition adds: "since" looks back, "until" ahead when nothing else does."""
        if self.preposition.endswith("since"):
            return replace(self, tense=Tense.PAST)
        if self.preposition in ("until", "till", "up until", "by") and self.tense is Tense.UNKNOWN:
            return replace(self, tense=Tense.FUTURE)
        return self


Resolver = Callable[[re.Match[str], Moment], Period | None]


@dataclass(frozen=True, slots=True)
class Found:
    """A match that names a time; its span takes in the preposition."""

    match: re.Match[str]
    resolve: Resolver
    span: tuple[int, int]
    preposition: str
    period: Period

    @property
    def is_second_half(self) -> bool:
        return self.preposition in _SECOND_HALF

    @property
    def may_end_range(self) -> bool:
        return self.preposition in _END_OF_RANGE

    @property
    def says_year(self) -> bool:
        return bool(self.match.groupdict().get("year"))

    def seen_from(self, observed_at: datetime, tense: Tense) -> Period | None:
        """What the same words name from elsewhere."""
        return self.resolve(self.match, Moment(observed_at, tense, self.preposition))


@dataclass(frozen=True, slots=True)
class Rule:
    """A pattern with the groups that its resolver needs; a match that names no time resolves to None."""

    pattern: re.Pattern[str]
    resolve: Resolver

    @classmethod
    def of(cls, body: str, resolve: Resolver) -> "Rule":
        # Not after a word, a price, a version, a path or a fraction.
        return cls(re.compile(rf"(?<![\w$€£#/:.@+-]){body}", re.IGNORECASE), resolve)

    def find(self, text: str, observed_at: datetime) -> Iterator[Found]:
        """The first fifty it finds in a text; dates before the year 1 or after 9999 are none."""
        for match in islice(self.pattern.finditer(text), _MOST):
            start, end = match.span()
            before = _PREPOSITION.search(text, max(0, start - _LONGEST_PREPOSITION), start)
            preposition = " ".join((before[1] or before[2]).lower().split()) if before else ""
            try:
                period = self.resolve(match, Moment(observed_at, tense_at(text, start), preposition))
            except (ValueError, OverflowError):
                continue
            if period is not None:
                yield Found(
                    match, self.resolve, (before.start() if before else start, end), preposition, period
                )


def closest(periods: list[Period], moment: Moment) -> Period | None:
    """Of periods that repeat, in order of time, the one that the tense means."""
    now = moment.observed_at
    if moment.tense is Tense.PAST:
        return next((each for each in reversed(periods) if each.start <= now), None)
    if moment.tense is Tense.FUTURE:
        return next((each for each in periods if each.end > now), None)
    return min(periods, key=lambda each: abs(each.start + (each.end - each.start) / 2 - now), default=None)
