"""How much was used on each day: counted with the calls, and kept when their traces are gone."""

from ibex.traces.usage.months import MonthCount
from ibex.traces.usage.service import DayUsage, UsageReading

__all__ = ["DayUsage", "MonthCount", "UsageReading"]
