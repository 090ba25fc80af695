"""An installation whose processes are killed at random moments while agents call, and what is left of it."""

from tests.faults.killing.assault import Outcome, assault
from tests.faults.killing.report import table

__all__ = ["Outcome", "assault", "table"]
