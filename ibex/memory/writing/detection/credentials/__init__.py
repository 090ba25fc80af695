"""Secrets: what opens something, and must never be stored."""

from collections.abc import Iterator

from ibex.memory.writing.detection.credentials.assignments import find_assignments
from ibex.memory.writing.detection.credentials.private_keys import find_private_keys
from ibex.memory.writing.detection.credentials.providers import PROVIDER_RULES
from ibex.memory.writing.detection.credentials.rule import find_all
from ibex.memory.writing.detection.finding import Finding

__all__ = ["find_secrets"]


def find_secrets(text: str) -> Iterator[Finding]:
    """Every secret in the text, in no order; findings may overlap."""
    yield from find_private_keys(text)
    yield from find_all(PROVIDER_RULES, text)
    yield from find_assignments(text)
