"""Finds the times that a text names."""

import re
from datetime import datetime

from ibex.memory.time.absolute import ABSOLUTE
from ibex.memory.time.interval import Interval
from ibex.memory.time.mention import Mention
from ibex.memory.time.periods import Period
from ibex.memory.time.relative import RELATIVE
from ibex.memory.time.rule import Found
from ibex.memory.time.tense import Tense

# No time is named without one of these; most turns have none, and are done with one search.
_HINT = re.compile(
    r"\d|day\b|\bto(?:night|morrow)|\b(?:week|fortnight|month|year|decade|quarter|ago)|"
    r"\b(?:last|this|next|past)\b|\b(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)",
    re.IGNORECASE,
)
_SINCE = ("since", "ever since", "as of", "starting", "effective")
_UNTIL = ("until", "till", "up until", "up to", "through")
# Typographic marks as the patterns have them, one character for one.
_PLAIN = str.maketrans(
    {"\N{RIGHT SINGLE QUOTATION MARK}": "'", "\N{EN DASH}": "-", "\N{NO-BREAK SPACE}": " "}
)


def mentions(text: str, observed_at: datetime) -> list[Mention]:
    """The times that a text names, in its order, as seen from when it was observed.

    English phrases; of other languages, dates with a day, a month's name and a year, and those in figures. A
    form with two readings (4/5/2023) is left out. Seasons are those of the
    northern hemisphere. Raises ValueError when `observed_at` has no time zone.
    """
    if observed_at.tzinfo is None:
        raise ValueError("A text is observed at a moment with a time zone.")
    if not _HINT.search(text):
        return []
    found = _without_overlap(text, _all_found(text.translate(_PLAIN), observed_at))
    made: list[Mention] = []
    rest = iter(range(len(found)))
    for index in rest:
        first = found[index]
        if index + 1 < len(found) and (joined := _range(text, first, found[index + 1])):
            made.append(joined)
            next(rest)
        elif not first.is_second_half:
            made.append(_mention(text, first.span, _bounded(first), first.period))
    return made


def _all_found(text: str, observed_at: datetime) -> list[Found]:
    return [found for rule in (*ABSOLUTE, *RELATIVE) for found in rule.find(text, observed_at)]


def _without_overlap(text: str, found: list[Found]) -> list[Found]:
    """Where matches overlap, the longest."""
    kept: list[Found] = []
    taken = bytearray(len(text))
    for each in sorted(found, key=lambda one: (one.span[0] - one.span[1], one.span[0])):
        start, end = each.span
        if not any(taken[start:end]):
            taken[start:end] = b"\1" * (end - start)
            kept.append(each)
    return sorted(kept, key=lambda one: one.span)


def _range(text: str, first: Found, second: Found) -> Mention | None:
    """ "from March to June": one time, when the second follows the first at once."""
    between = text[first.span[1] : second.span[0]].strip()
    opened = first.preposition in ("from", "between", "since", "in", "on", "")
    if not opened or between or not second.may_end_range:
        return None
    if second.preposition == "and" and first.preposition != "between":
        return None
    start, end = first.period, second.period
    if second.says_year and not first.says_year:
        start = first.seen_from(end.start, Tense.PAST) or start
    elif end.start < start.start:
        end = second.seen_from(start.start, Tense.FUTURE) or end
    if end.end <= start.start:
        return None
    whole = Period(start.start, end.end, end.precision)
    return _mention(text, (first.span[0], second.span[1]), whole.interval, whole)


def _bounded(found: Found) -> Interval:
    if found.preposition in _SINCE:
        return Interval(found.period.start, None)
    if found.preposition in _UNTIL:
        return Interval(None, found.period.end)
    return found.period.interval


def _mention(text: str, span: tuple[int, int], interval: Interval, period: Period) -> Mention:
    return Mention(span, text[slice(*span)], interval, period.precision)
