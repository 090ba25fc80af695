"""What is known of a time that a text names."""

from dataclasses import dataclass
from enum import StrEnum

from ibex.memory.time.interval import Interval


class Precision(StrEnum):
    """The unit in which a time is named."""

    HOUR = "hour"
    DAY = "day"
    WEEKEND = "weekend"
    WEEK = "week"
    MONTH = "month"
    SEASON = "season"
    QUARTER = "quarter"
    YEAR = "year"
    DECADE = "decade"


@dataclass(frozen=True, slots=True)
class Mention:
    """A time that a text names.

    Parameters
    ----------
    span: first character and the one after the last, in the text.
    phrase: the words themselves.
    interval: in the time zone in which the text was observed.
    """

    span: tuple[int, int]
    phrase: str
    interval: Interval
    precision: Precision
