"""Times that a text names by their place in the calendar: "3 May 2023", "in May", "summer 2020"."""

import re
from dataclasses import replace
from datetime import datetime

from dateutil.relativedelta import relativedelta

from ibex.memory.time import periods
from ibex.memory.time.mention import Precision
from ibex.memory.time.periods import Period
from ibex.memory.time.rule import Moment, Rule, closest
from ibex.memory.time.tense import Tense
from ibex.memory.time.vocabulary import (
    ANY_MONTH,
    FOREIGN_MONTHS,
    MONTH,
    MONTHS,
    SEASON,
    SEASONS,
    WEEKDAY_OR_SHORT,
    YEAR,
)

_DAY = r"(?P<day>[12]\d|3[01]|0?[1-9])"
_ORDINAL = r"(?P<ordinal>st|nd|rd|th)"
_PART = r"(?P<part>early|mid|middle|late|(?:the\s+)?(?:start|beginning|middle|end)\s+of)(?:\s+|-)(?:the\s+)?"
_PARTS = {"early": 0, "start": 0, "beginning": 0, "mid": 1, "middle": 1, "late": 2, "end": 2}
# After a number these make it an amount or a time of day.
_NO_AMOUNT = r"(?![\d%:]|[.,]\d|\s*(?:am|pm|o'clock)\b|\s+[a-z]{3,}s\b)"
# What follows a day named by its number alone; any other word makes it "the 3rd floor".
_NO_NOUN = r"(?=\s*(?:$|[.,;!?)]|(?:at|with|in|we|i|to|or|because|but|for|when|so|is|was|of)\b))"
_NO_COUNT = (
    r"(?!\s*(?:people|persons|euros?|dollars?|usd|eur|words?|miles?|km|met(?:er|re)s?|kg|users?|items?|rows?|"
    r"rooms?|steps?|kcal|calories|points?|tokens?|requests?|bytes?|[kmg]b|ml|lines?|times?|employees?|"
    r"customers?|copies|pages?|mg|hz|mhz|rpm|watts?)\b)"
)
_BEFORE_MONTH = frozenset(
    {
        "since",
        "ever since",
        "as of",
        "until",
        "up until",
        "till",
        "from",
        "between",
        "in",
        "back in",
        "during",
    }
    | {"by", "before", "to", "and", "through", "up to", "starting", "effective"}
)
_BEFORE_YEAR = _BEFORE_MONTH | {"after"}
# Words of their own when written small.
_AMBIGUOUS = ("may", "march", "mar", "sep", "jan", "jun")


def part_of(period: Period, match: re.Match[str]) -> Period:
    """The third of a period that the group `part` names, else the whole."""
    words = (match["part"] or "").lower().removeprefix("the ").split()
    return period.third(_PARTS[words[0].removesuffix("-")]) if words else period


def _is_month(match: re.Match[str]) -> bool:
    word = match["month"]
    return word[0].isupper() or word not in _AMBIGUOUS


def _date(moment: datetime, year: int, month: int, day: int) -> Period | None:
    try:
        return periods.day(moment.replace(year=year, month=month, day=day))
    except ValueError:  # there is no such day
        return None


def _numeric(match: re.Match[str], moment: Moment) -> Period | None:
    return _date(moment.observed_at, int(match["year"]), int(match["month"]), int(match["day"]))


def _foreign(match: re.Match[str], moment: Moment) -> Period | None:
    word = match["month"].lower()
    month = FOREIGN_MONTHS.get(word) or MONTHS[word]
    return _date(moment.observed_at, int(match["year"]), month, int(match["day"]))


def _slashed(match: re.Match[str], moment: Moment) -> Period | None:
    """Day and month, or month and day; no date when both readings are possible and differ."""
    first, second, year = int(match["first"]), int(match["second"]), int(match["year"])
    if first <= 12 and second <= 12 and first != second:
        return None
    month, day = (first, second) if first <= 12 else (second, first)
    return _date(moment.observed_at, year, month, day)


def _month_and_day(match: re.Match[str], moment: Moment) -> Period | None:
    if not (_is_month(match) or match["ordinal"] or match["year"]):
        return None
    month, day, now = MONTHS[match["month"].lower()], int(match["day"]), moment.observed_at
    if match["year"]:
        first = _date(now, int(match["year"]), month, day)
    else:
        # Four years on either side, for 29 February.
        days = [_date(now, now.year + offset, month, day) for offset in range(-4, 5)]
        first = closest([each for each in days if each], moment.looking())
    last = match.groupdict().get("last")
    if first is None or last is None:
        return first
    until = _date(now, first.start.year, month, int(last))
    return Period(first.start, until.end, Precision.DAY) if until and until.end > first.end else None


def _month(match: re.Match[str], moment: Moment) -> Period | None:
    now, number = moment.observed_at, MONTHS[match["month"].lower()]
    if match["year"]:
        return part_of(periods.month(now.replace(year=int(match["year"]), month=number, day=1)), match)
    word, prep = match["month"], moment.preposition
    if not word[0].isupper() and (word in _AMBIGUOUS or len(word) < 4) and not match["part"]:
        return None
    if prep not in _BEFORE_MONTH and not match["part"]:
        return None
    months = [
        periods.month(now.replace(year=now.year + offset, month=number, day=1)) for offset in (-1, 0, 1)
    ]
    found = closest(months, moment.looking())
    return found and part_of(found, match)


def _season(match: re.Match[str], moment: Moment) -> Period | None:
    return part_of(
        periods.season(moment.observed_at, SEASONS[match["season"].lower()], int(match["year"])), match
    )


def _year(match: re.Match[str], moment: Moment) -> Period | None:
    if not match["part"] and moment.preposition not in _BEFORE_YEAR:
        return None
    return part_of(periods.year(moment.observed_at.replace(year=int(match["year"]), month=1, day=1)), match)


def _years(match: re.Match[str], moment: Moment) -> Period | None:
    first, last = (
        periods.year(moment.observed_at.replace(year=int(match[name]), month=1, day=1))
        for name in ("year", "last")
    )
    start, end = match.span()
    bracketed = match.string[max(0, start - 1) : start] + match.string[end : end + 1] == "()"
    if last.end <= first.end or not (moment.preposition or bracketed):
        return None
    return Period(first.start, last.end, Precision.YEAR)


def _decade(match: re.Match[str], moment: Moment) -> Period | None:
    """ "the 90s" may be degrees: two digits count as years in a sentence about the past only."""
    digits = match["decade"]
    if len(digits) == 2:
        if moment.tense is not Tense.PAST and not match["part"]:
            return None
        digits = ("20" if digits < "30" else "19") + digits
    return part_of(periods.decade(moment.observed_at.replace(year=int(digits), month=1, day=1)), match)


def _day_of_month(match: re.Match[str], moment: Moment) -> Period | None:
    if moment.preposition not in ("on", "by", "since", "until", "till", "from", "before", "to"):
        return None
    this_month, day = moment.observed_at.replace(day=1), int(match["day"])
    offsets: tuple[int, ...] = tuple(range(-2, 3))
    if match["which"]:
        offsets = ({"last": -1, "this": 0, "the": 0, "next": 1}[match["which"].lower()],)
    months = [this_month + relativedelta(months=offset) for offset in offsets]
    days = [found for each in months if (found := _date(each, each.year, each.month, day))]
    if match["which"]:
        return days[0] if days else None
    tense = Tense.PAST if moment.looking().tense is Tense.PAST else Tense.FUTURE
    return closest(days, replace(moment, tense=tense))


_ON_WEEKDAY = rf"(?:{WEEKDAY_OR_SHORT}\.?,?\s+(?:the\s+)?)?"
_LAST_DAY = rf"(?:\s*(?:-|to|through)\s*(?P<last>[12]\d|3[01]|[1-9])(?:st|nd|rd|th)?{_NO_AMOUNT})?"

ABSOLUTE = (
    Rule.of(
        r"(?P<year>(?:19|20)\d\d)(?P<mark>[-/])(?P<month>\d\d?)(?P=mark)(?P<day>\d\d?)(?![\d/-])", _numeric
    ),
    Rule.of(r"(?P<day>\d\d?)\.\s?(?P<month>\d\d?)\.\s?(?P<year>(?:19|20)\d\d)(?!\w|\.\d)", _numeric),
    Rule.of(r"(?P<first>\d\d?)/(?P<second>\d\d?)/(?P<year>(?:19|20)\d\d)(?![\w/])", _slashed),
    Rule.of(
        rf"{_ON_WEEKDAY}(?:the\s+)?{_DAY}{_ORDINAL}?\s+(?:of\s+)?{MONTH}(?:,?\s+(?:of\s+)?{YEAR})?",
        _month_and_day,
    ),
    Rule.of(
        rf"{_ON_WEEKDAY}{MONTH}\s+(?:the\s+)?{_DAY}{_ORDINAL}?{_NO_AMOUNT}{_NO_COUNT}{_LAST_DAY}(?:,?\s+{YEAR})?",
        _month_and_day,
    ),
    # Not the rest of "31 February 2028".
    Rule.of(rf"(?<!\d\s)(?<!(?:st|nd|rd|th)\s)(?:{_PART})?{MONTH}(?:(?:,?\s+(?:of\s+)?){YEAR})?", _month),
    Rule.of(rf"{_DAY}(?:\.|er|º)?\s+(?:de\s+)?{ANY_MONTH}\s+(?:del?\s+)?{YEAR}", _foreign),
    # Chinese and Japanese put no space before a date.
    Rule(re.compile(r"(?P<year>(?:19|20)\d\d)年(?P<month>\d\d?)月(?P<day>\d\d?)日"), _numeric),
    Rule.of(rf"(?:{_PART})?(?:the\s+)?{SEASON}(?:\s+of)?\s+{YEAR}", _season),
    Rule.of(rf"(?:{_PART})?{YEAR}{_NO_COUNT}", _year),
    Rule.of(r"(?P<year>(?:19|20)\d\d)\s*-\s*(?P<last>(?:19|20)\d\d)(?![\w-])", _years),
    Rule.of(rf"(?:the\s+)?(?:{_PART})?(?:the\s+)?'?(?P<decade>(?:19|20)?\d0)s\b", _decade),
    Rule.of(
        rf"the\s+{_DAY}(?:st|nd|rd|th)(?:\s+of\s+(?P<which>last|this|the|next)\s+month\b|{_NO_NOUN})",
        _day_of_month,
    ),
)
