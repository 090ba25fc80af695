"""What is wrong with a text that wants to become a memory: secrets, personal data, instructions to a model.

inspection = inspect("Call me at +44 20 7946 0018", Policy())
inspection.text_to_store  # "Call me at [REDACTED:phone]"
"""

from ibex.memory.writing.detection.finding import Category, Finding, Severity
from ibex.memory.writing.detection.inspection import Inspection, Verdict, inspect
from ibex.memory.writing.detection.policy import PiiAction, Policy

__all__ = ["Category", "Finding", "Inspection", "PiiAction", "Policy", "Severity", "Verdict", "inspect"]
