"""What one check has found."""

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """`warning` works, but not as it should; with a `problem` something does not work."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the examination. `remedy` says what to do; it is empty when all is well."""

    check: str
    state: State
    text: str
    remedy: str = ""


def ok(check: str, text: str) -> Finding:
    return Finding(check, State.OK, text)


def warning(check: str, text: str, remedy: str) -> Finding:
    return Finding(check, State.WARNING, text, remedy)


def problem(check: str, text: str, remedy: str) -> Finding:
    return Finding(check, State.PROBLEM, text, remedy)
