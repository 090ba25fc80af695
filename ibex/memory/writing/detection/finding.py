"""What was found in a text: where, what, and how bad. Never the text itself."""

from dataclasses import dataclass
from enum import IntEnum, StrEnum


class Category(StrEnum):
    """What kind of trouble a finding is."""

    SECRET = "secret"  # noqa: S105
    PII = "pii"
    INJECTION = "injection"


class Severity(IntEnum):
    """How much harm the finding could do if it were stored and read back."""

    LOW = 1
    MEDIUM = 2
    HIGH = 3
    CRITICAL = 4


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding. `start` and `end` are offsets, in code points, into the text that was inspected.

    `kind` is what a placeholder is named after (`api_key`, `phone`), `rule` is what exactly matched
    (`github_token`, `fr_nir`).
    """

    category: Category
    kind: str
    rule: str
    severity: Severity
    start: int
    end: int
