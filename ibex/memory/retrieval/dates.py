"""The times that a question names."""

import calendar
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

_MONTHS = {name.lower(): number for number, name in enumerate(calendar.month_name) if name}
_MONTHS |= {name.lower(): number for number, name in enumerate(calendar.month_abbr) if name}
_MONTHS["sept"] = 9
_NUMBERS = {"a": 1, "an": 1, "one": 1, "two": 2, "couple": 2, "three": 3, "few": 3, "four": 4, "five": 5}
_NUMBERS |= {"six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10, "eleven": 11, "twelve": 12}

_MONTH = "|".join(sorted(_MONTHS, key=len, reverse=True))
_DAY = r"(\d{1,2})(?:st|nd|rd|th)?"
_YEAR = r"((?:19|20)\d\d)"
_ISO = re.compile(r"\b((?:19|20)\d\d)-(\d{1,2})(?:-(\d{1,2}))?\b")
_DAY_FIRST = re.compile(
    rf"\b(?:{_DAY}(?:\s+of)?\s+)?\b({_MONTH})\b\.?(?:,?\s+(?:of\s+)?{_YEAR})?\b", re.IGNORECASE
)
_MONTH_FIRST = re.compile(rf"\b({_MONTH})\.?\s+{_DAY}(?!\d)(?:,?\s+{_YEAR})?\b", re.IGNORECASE)
_YEAR_ALONE = re.compile(rf"\b{_YEAR}\b")
_AGO = re.compile(
    rf"\b(\d{{1,3}}|{'|'.join(_NUMBERS)})\s+(?:of\s+)?(day|week|month|year)s?\s+ago\b", re.IGNORECASE
)
_CALENDAR = re.compile(r"\b(last|past|previous|this)\s+(week|month|year)\b", re.IGNORECASE)
_SINCE = re.compile(
    rf"\b(?:last|past|previous)\s+(\d{{1,3}}|{'|'.join(_NUMBERS)})\s+(?:of\s+)?(day|week|month|year)s\b",
    re.IGNORECASE,
)
_NAMED_DAY = re.compile(r"\b(today|tonight|yesterday)\b", re.IGNORECASE)
_WEEKDAYS = {name.lower(): number for number, name in enumerate(calendar.day_name)}
_WEEKDAY = re.compile(rf"\b(next\s+)?({'|'.join(_WEEKDAYS)}|weekend)\b", re.IGNORECASE)
# Nobody who leaves the year out means one before this; it bounds the work where a memory has an absurd date.
_MOST_YEARS = 20
_DAYS = {"day": 1, "week": 7, "month": 30, "year": 365}


@dataclass(frozen=True, slots=True)
class Interval:
    """From `start` up to, but not including, `end`; in seconds since the epoch, UTC."""

    start: float
    end: float


def intervals(question: str, now: datetime, first: datetime, last: datetime) -> list[Interval]:
    """The times named in a question, as intervals; empty when it names none.

    English names of months, ISO 8601 dates, years, and times relative to `now`.

    Parameters
    ----------
    first, last: the time that the memories span: a date without a year is meant in each year of it.
    """
    years = range(max(first.year, last.year - _MOST_YEARS), last.year + 1)
    found = [interval for interval in _absolute(question, years) if interval is not None]
    return found + list(_relative(question, now))


def _absolute(question: str, years: range) -> Iterator[Interval | None]:
    rest = question
    for match in _ISO.finditer(rest):
        year, month, day = match.groups()
        yield _interval(int(year), int(month), int(day) if day else None)
    rest = _ISO.sub(" ", rest)
    for match in _MONTH_FIRST.finditer(rest):
        name, day, year = match.groups()
        for each in [int(year)] if year else years:
            yield _interval(each, _MONTHS[name.lower()], int(day))
    rest = _MONTH_FIRST.sub(" ", rest)
    for match in _DAY_FIRST.finditer(rest):
        day, name, year = match.groups()
        if not (day or year) and not _is_name_of_month(match.group(2), match.start(2)):
            continue
        for each in [int(year)] if year else years:
            yield _interval(each, _MONTHS[name.lower()], int(day) if day else None)
    for match in _YEAR_ALONE.finditer(_DAY_FIRST.sub(" ", rest)):
        yield _interval(int(match[1]), None, None)


def _is_name_of_month(word: str, position: int) -> bool:
    """May and march are verbs too: alone they count where they are capitalised within a sentence."""
    return word[0].isupper() and position > 0


def _interval(year: int, month: int | None, day: int | None) -> Interval | None:
    try:
        start = date(year, month or 1, day or 1)
    except ValueError:
        return None
    if day:
        length = 1
    elif month:
        length = calendar.monthrange(year, month)[1]
    else:
        length = 366 if calendar.isleap(year) else 365
    return _from_day(start, length)


def _relative(question: str, now: datetime) -> Iterator[Interval]:
    today = now.astimezone(UTC).date()
    for match in _NAMED_DAY.finditer(question):
        yield _from_day(today - timedelta(days=match[1].lower() == "yesterday"), 1)
    for match in _WEEKDAY.finditer(question):
        if not match[1]:
            yield _latest(match[2].lower(), today)
    for match in _AGO.finditer(question):
        length = _DAYS[match[2].lower()]
        # "Two months ago" is as vague as its unit: half a unit to either side.
        yield _from_day(_days_before(today, _amount(match[1]) * length + length // 2), length)
    for match in _SINCE.finditer(question):
        length = _amount(match[1]) * _DAYS[match[2].lower()]
        yield _from_day(_days_before(today, length), length + 1)
    for match in _CALENDAR.finditer(question):
        length = _DAYS[match[2].lower()]
        back = 0 if match[1].lower() == "this" else length
        yield _from_day(today - timedelta(days=length + back - 1), length + back)


def _latest(name: str, today: date) -> Interval:
    """The last such day before today, or the last weekend that has begun before today."""
    if name == "weekend":
        return _from_day(_days_before(today, (today.weekday() - 5) % 7 or 7), 2)
    return _from_day(_days_before(today, (today.weekday() - _WEEKDAYS[name]) % 7 or 7), 1)


def _amount(written: str) -> int:
    return int(written) if written.isdigit() else _NUMBERS[written.lower()]


def _days_before(day: date, days: int) -> date:
    return date.fromordinal(max(day.toordinal() - days, 1))


def _from_day(start: date, days: int) -> Interval:
    begin = datetime(start.year, start.month, start.day, tzinfo=UTC).timestamp()
    return Interval(begin, begin + days * 86_400)
