"""The days, weeks, months and so on of the calendar, as intervals."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from dateutil.relativedelta import relativedelta

from ibex.memory.time.interval import Interval
from ibex.memory.time.mention import Precision


@dataclass(frozen=True, slots=True)
class Period:
    """A piece of the calendar and the unit in which it is measured."""

    start: datetime
    end: datetime
    precision: Precision

    @property
    def interval(self) -> Interval:
        return Interval(self.start, self.end)

    def third(self, part: int) -> "Period":
        """Its first, second or third third (0, 1, 2), to whole days: what "early", "mid" and "late" name."""
        length = self.end - self.start
        starts = [_midnight(self.start + length * each / 3) for each in range(3)]
        return Period(starts[part], [*starts, self.end][part + 1], self.precision)


def day(moment: datetime) -> Period:
    start = _midnight(moment)
    return Period(start, start + timedelta(days=1), Precision.DAY)


def week(moment: datetime) -> Period:
    """From Monday to Sunday (ISO 8601)."""
    start = _midnight(moment) - timedelta(days=moment.weekday())
    return Period(start, start + timedelta(weeks=1), Precision.WEEK)


def weekend(moment: datetime) -> Period:
    """Saturday and Sunday of the moment's week."""
    start = week(moment).start + timedelta(days=5)
    return Period(start, start + timedelta(days=2), Precision.WEEKEND)


def month(moment: datetime) -> Period:
    start = _midnight(moment).replace(day=1)
    return Period(start, start + relativedelta(months=1), Precision.MONTH)


def quarter(moment: datetime) -> Period:
    start = _midnight(moment).replace(month=(moment.month - 1) // 3 * 3 + 1, day=1)
    return Period(start, start + relativedelta(months=3), Precision.QUARTER)


def season(moment: datetime, first_month: int, year: int) -> Period:
    """The season that begins with a month of a year, in the moment's time zone."""
    start = _midnight(moment).replace(year=year, month=first_month, day=1)
    return Period(start, start + relativedelta(months=3), Precision.SEASON)


def year(moment: datetime) -> Period:
    start = _midnight(moment).replace(month=1, day=1)
    return Period(start, start + relativedelta(years=1), Precision.YEAR)


def decade(moment: datetime) -> Period:
    start = year(moment).start.replace(year=moment.year // 10 * 10)
    return Period(start, start + relativedelta(years=10), Precision.DECADE)


def _midnight(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


# What a word for a unit names, and how far apart two of them are.
UNITS = {
    "day": (day, relativedelta(days=1)),
    "weekend": (weekend, relativedelta(weeks=1)),
    "week": (week, relativedelta(weeks=1)),
    "fortnight": (week, relativedelta(weeks=2)),
    "month": (month, relativedelta(months=1)),
    "quarter": (quarter, relativedelta(months=3)),
    "year": (year, relativedelta(years=1)),
    "decade": (decade, relativedelta(years=10)),
}
