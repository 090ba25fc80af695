"""Looks at an installation and says what is wrong with it and what to do; changes nothing."""

from ibex.doctor.examination import examine
from ibex.doctor.finding import Finding, State

__all__ = ["Finding", "State", "examine"]
