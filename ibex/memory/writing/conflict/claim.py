"""What a statement says of something."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Claim:
    """That a subject's attribute has a value, or has it no more.

    Parameters
    ----------
    affirmed: False for "I don't live in Paris".
    exclusive: whether the attribute has one value at a time.
    replaces: the value before, when it is named: "from Paris".
    firm: False when the words may mean something else: "I joined Acme" may be a club.
    changed_by: when it had come about, for a change that is dated: "moved in 2015".
    """

    subject: str
    attribute: str
    value: str
    affirmed: bool = True
    exclusive: bool = False
    replaces: str | None = None
    firm: bool = True
    changed_by: datetime | None = None
