"""Times that a text names by their distance from now: "yesterday", "two weeks ago", "next summer"."""

import re
from dataclasses import replace
from datetime import timedelta

from dateutil.relativedelta import relativedelta

from ibex.memory.time import periods
from ibex.memory.time.absolute import part_of
from ibex.memory.time.mention import Precision
from ibex.memory.time.periods import UNITS, Period
from ibex.memory.time.rule import Moment, Rule
from ibex.memory.time.tense import Tense
from ibex.memory.time.vocabulary import (
    COUNT,
    MONTHS,
    SEASON,
    SEASONS,
    UNIT,
    WEEKDAY,
    WEEKDAYS,
    count_of,
)

_PART_OF_DAY = r"(?:\s+(?:morning|afternoon|evening|night))?"
_NAMED_DAYS = {"today": 0, "tonight": 0, "yesterday": -1, "tomorrow": 1, "last night": -1}
_NEARLY = r"(?:(?:about|around|roughly|nearly|almost|over|only|just)\s+)?"
_WHICH = r"(?P<which>last|this\s+past|this\s+coming|this|next|coming|previous)\s+"
_STEP = {"last": -1, "previous": -1, "this past": -1, "this": 0, "this coming": 1, "next": 1, "coming": 1}
# In "the next week" and "the previous year" the distance is from another time.
_NOT_THE = r"(?<!\bthe\s)(?<!\bvery\s)(?<!\bat\s)"
_PART = r"(?:(?P<part>early|mid|late)(?:\s+|-)|(?P<side>earlier|later)\s+)?"
_CLAUSE = 80
_COMING_VERB = re.compile(
    r"(?:\b(?:is|are|am|be|see you|due|back|again|starts?|begins?|ends?|leaves?|expires?|arrives?|\w+ing)"
    r"|'m|'re|'s)\W+(?:[\w'-]+\W+){0,4}$",
    re.IGNORECASE,
)


def _named_day(match: re.Match[str], moment: Moment) -> Period | None:
    word = " ".join(match["named"].lower().split())
    days = -2 if word.endswith("before yesterday") else 2 if word.endswith("after tomorrow") else None
    if days is None:
        days = _NAMED_DAYS.get(word, 0)
    return periods.day(moment.observed_at + timedelta(days=days))


def _between(match: re.Match[str], moment: Moment, sign: int) -> Period:
    """So many units away; the whole of the least and the most that the words may mean."""
    least, most = count_of(match["count"].lower())
    unit, step = UNITS[match["unit"].lower()]
    ends = sorted(
        (unit(moment.observed_at + step * (sign * each)) for each in (least, most)),
        key=lambda each: each.start,
    )
    return Period(ends[0].start, ends[1].end, ends[0].precision)


def _ago(match: re.Match[str], moment: Moment) -> Period | None:
    return _between(match, moment, -1)


def _from_now(match: re.Match[str], moment: Moment) -> Period | None:
    return _between(match, moment, 1)


def _in_so_long(match: re.Match[str], moment: Moment) -> Period | None:
    """ "in two weeks" is a date after a verb that looks ahead, and else how long something took."""
    before = match.string[max(0, match.start() - _CLAUSE) : match.start()]
    if moment.tense is Tense.PAST or (moment.tense is Tense.UNKNOWN and not _COMING_VERB.search(before)):
        return None
    return _between(match, moment, 1)


def _hours_ago(match: re.Match[str], moment: Moment) -> Period | None:
    least, most = count_of(match["count"].lower())
    unit = timedelta(minutes=1) if match["clock"].lower().startswith("min") else timedelta(hours=1)
    first, last = (
        (moment.observed_at - unit * each).replace(minute=0, second=0, microsecond=0)
        for each in (most, least)
    )
    return Period(first, last + timedelta(hours=1), Precision.HOUR)


def _stretch(match: re.Match[str], moment: Moment) -> Period | None:
    """ "the past three years": up to now; "the next two weeks": from now."""
    unit, step = UNITS[match["unit"].lower()]
    which, now = match["which"].lower(), moment.observed_at
    if not match["count"] and not match["the"]:
        return None
    if not match["count"] and which != "past" and moment.preposition not in ("in", "over", "during", "for"):
        return None
    plural = match[0].lower().endswith("s")
    most = count_of((match["count"] or ("several" if plural else "one")).lower())[1]
    precision = unit(now).precision
    if which in ("next", "coming"):
        return Period(now, now + step * most, precision)
    return Period(now - step * most, now, precision)


def _step_of(match: re.Match[str]) -> int:
    return _STEP[" ".join(match["which"].lower().split())]


def _unit(match: re.Match[str], moment: Moment) -> Period | None:
    name = match["unit"].lower()
    unit, step = UNITS[name]
    if name == "weekend" and match["which"].lower().endswith("coming"):
        return unit(moment.observed_at)
    if name == "weekend" and match["which"].lower() == "this":
        return _weekend_near(moment)
    found = unit(moment.observed_at + step * _step_of(match))
    if match["side"] == "earlier" and found.start < moment.observed_at <= found.end:
        return Period(found.start, moment.observed_at, found.precision)
    if match["side"] == "later" and found.start <= moment.observed_at < found.end:
        return Period(moment.observed_at, found.end, found.precision)
    return part_of(found, match)


def _weekday_of(match: re.Match[str], moment: Moment) -> Period | None:
    """ "last" is the latest before today, "next" that of next week, "this" that of this week."""
    now, number, step = moment.observed_at, WEEKDAYS[match["weekday"].lower()], _step_of(match)
    here = periods.week(now).start + timedelta(days=number)
    today = periods.day(now).start
    if match["which"].lower().endswith("coming"):
        return periods.day(here if here > today else here + timedelta(weeks=1))
    if step < 0:
        return periods.day(here if here < today else here - timedelta(weeks=1))
    if step == 0 and here < today and moment.tense is not Tense.PAST:
        return periods.day(here + timedelta(weeks=1))
    return periods.day(here + timedelta(weeks=step))


def _month_of(match: re.Match[str], moment: Moment) -> Period | None:
    word = match["month"]
    if not word[0].isupper() and (word == "may" or (word == "march" and _step_of(match) != -1)):
        return None
    now = moment.observed_at
    this_year = periods.month(now.replace(month=MONTHS[word.lower()], day=1))
    return _nearest_year(this_year, match, moment)


def _month_of_year(match: re.Match[str], moment: Moment) -> Period | None:
    year = moment.observed_at.year + _step_of(match)
    number = MONTHS[match["month"].lower()]
    return part_of(periods.month(moment.observed_at.replace(year=year, month=number, day=1)), match)


def _season_of(match: re.Match[str], moment: Moment) -> Period | None:
    now, first = moment.observed_at, SEASONS[match["season"].lower()]
    # In January and February it is the winter of the year before.
    year = now.year - 1 if first == 12 and now.month < 3 else now.year
    return _nearest_year(periods.season(now, first, year), match, moment)


def _nearest_year(found: Period, match: re.Match[str], moment: Moment) -> Period:
    """Of a period that returns every year, the last that is over, the next to begin, or this year's."""
    now, step = moment.observed_at, _step_of(match)
    years = 0
    if step < 0 and found.end > now:
        years = -1
    elif step > 0 and found.start <= now:
        years = 1
    shift = relativedelta(years=years)
    return part_of(Period(found.start + shift, found.end + shift, found.precision), match)


def _two_away(match: re.Match[str], moment: Moment) -> Period | None:
    unit, step = UNITS[match["unit"].lower()]
    return unit(moment.observed_at + step * (-2 if match["side"].lower() == "before" else 2))


def _weekday(match: re.Match[str], moment: Moment) -> Period | None:
    now, number = moment.observed_at, WEEKDAYS[match["weekday"].lower()]
    tense = moment.looking().tense
    days = (number - now.weekday()) % 7
    return periods.day(now + timedelta(days=(days - 7) if tense is Tense.PAST else (days or 7)))


def _the_weekend(match: re.Match[str], moment: Moment) -> Period | None:
    if moment.preposition not in ("over", "on", "at", "during", "for", "until", "by"):
        return None
    if moment.preposition == "over" and moment.tense is Tense.UNKNOWN:
        return _weekend_near(replace(moment, tense=Tense.PAST))
    return _weekend_near(moment)


def _weekend_near(moment: Moment) -> Period:
    """The weekend at hand; in the past tense, before Saturday, the one that is over."""
    is_over = moment.tense is Tense.PAST and moment.observed_at.weekday() < 5
    return periods.weekend(moment.observed_at - timedelta(weeks=1 if is_over else 0))


def _part_of_unit(match: re.Match[str], moment: Moment) -> Period | None:
    unit, step = UNITS[match["unit"].lower()]
    steps = {"last": -1, "next": 1}.get(match["which"].lower(), 0)
    return part_of(unit(moment.observed_at + step * steps), match)


_OTHER_FRIDAYS = r"(?<!every\s)(?<!each\s)(?<!good\s)(?<!black\s)(?<!holy\s)(?<!ash\s)(?<!ruby\s)"
# "Wednesday Addams" is nobody's appointment.
_NO_SURNAME = rf"(?-i:(?!\s+(?!{'|'.join(name.title() for name in MONTHS)}|I\b)[A-Z][a-z]))"
_FULL_MONTH = rf"(?P<month>{'|'.join(name for name in MONTHS if len(name) > 3 or name == 'may')})\b"

RELATIVE = (
    Rule.of(
        rf"(?<!like\s)(?<!like\sjust\s)(?P<named>the\s+day\s+before\s+yesterday|the\s+day\s+after\s+tomorrow|last\s+night|tonight|today|"
        rf"this\s+(?:morning|afternoon|evening)|(?:yesterday|tomorrow))\b{_PART_OF_DAY}",
        _named_day,
    ),
    Rule.of(rf"{_NEARLY}{COUNT}\s+{UNIT}\s+ago\b", _ago),
    Rule.of(rf"{_NEARLY}{COUNT}\s+(?P<clock>hours?|hrs?|minutes?|mins?)\s+ago\b", _hours_ago),
    Rule.of(rf"{_NEARLY}{COUNT}\s+{UNIT}\s+from\s+(?:now|today)\b", _from_now),
    Rule.of(rf"(?<=\bin\s){_NEARLY}{COUNT}\s+{UNIT}(?:'?s?'?\s+time\b)?(?!\s+of\b)", _in_so_long),
    Rule.of(
        rf"(?P<the>(?:the|these)\s+)?(?P<which>past|last|next|coming)\s+(?:{COUNT}\s+)?{UNIT}(?!\s+of\b)",
        _stretch,
    ),
    Rule.of(rf"{_PART}{_NOT_THE}{_WHICH}(?P<unit>weekend|week|month|quarter|year|decade)\b", _unit),
    Rule.of(rf"{_NOT_THE}{_WHICH}{WEEKDAY}{_PART_OF_DAY}", _weekday_of),
    Rule.of(rf"{_PART}{_NOT_THE}{_WHICH}{_FULL_MONTH}(?!\s+\d)", _month_of),
    Rule.of(rf"{_PART}{_FULL_MONTH}(?:\s+of)?,?\s+(?P<which>last|this|next)\s+year\b", _month_of_year),
    Rule.of(rf"{_PART}{_NOT_THE}{_WHICH}{SEASON}(?!\s+(?:roll|onion|cleaning|water))", _season_of),
    Rule.of(
        r"the\s+(?P<unit>weekend|week|month|quarter|year)\s+(?P<side>before|after)\s+(?:last|next)\b",
        _two_away,
    ),
    Rule.of(rf"{_OTHER_FRIDAYS}{WEEKDAY}{_PART_OF_DAY}{_NO_SURNAME}(?!\s*\d)", _weekday),
    Rule.of(r"the\s+weekend\b(?!\s+of\b)", _the_weekend),
    Rule.of(
        r"(?P<part>(?:the\s+)?(?:start|beginning|middle|end)\s+of)\s+(?P<which>the|this|last|next)\s+"
        r"(?P<unit>week|month|quarter|year|decade)\b",
        _part_of_unit,
    ),
)
