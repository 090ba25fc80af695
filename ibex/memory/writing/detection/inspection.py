"""The judgement on a text that wants to become a memory."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum

from ibex.memory.writing.detection.credentials import find_secrets
from ibex.memory.writing.detection.finding import Category, Finding, Severity
from ibex.memory.writing.detection.injection import assess
from ibex.memory.writing.detection.personal import find_personal_data
from ibex.memory.writing.detection.policy import PiiAction, Policy
from ibex.memory.writing.detection.redaction import Redaction, merged, redact

# A redaction can uncover a finding: a number is no longer glued to the secret before it. Two rounds settle
# all but contrived texts, whose every round uncovers the next; each round reads the text once.
_MOST_ROUNDS = 6
_UNSETTLED = "unsettled"


class Verdict(StrEnum):
    """What becomes of the memory."""

    ACCEPT = "accept"
    REDACTED = "redacted"
    QUARANTINE = "quarantine"


@dataclass(frozen=True, slots=True)
class Inspection:
    """What was found in a text and what may be stored of it.

    text_to_store: the text without its secrets, and without personal data that the policy has redacted. Not
        in the repr, since content does not belong in logs.
    findings: in the order of the text, with spans of the text that was inspected.
    risk: of prompt injection, 0 to 1.
    """

    text_to_store: str = field(repr=False)
    findings: tuple[Finding, ...]
    risk: float
    verdict: Verdict


def inspect(text: str, policy: Policy) -> Inspection:
    """Finds secrets, personal data and attempts to instruct a model, and says what to do.

    Any text is taken, and time grows in proportion to its length. The stored text, inspected again, has
    nothing more to redact.
    """
    assessment = assess(text)
    redaction, redacted, remaining = _redacted(text, policy)
    withheld = any(policy.action(each.kind) is PiiAction.QUARANTINE for each in remaining)
    unsettled = any(each.rule == _UNSETTLED for each in redacted)
    if assessment.risk >= policy.quarantine_risk or withheld or unsettled:
        verdict = Verdict.QUARANTINE
    else:
        verdict = Verdict.REDACTED if redacted else Verdict.ACCEPT
    findings = sorted((*redacted, *remaining, *assessment.findings), key=lambda each: (each.start, each.end))
    return Inspection(redaction.text, tuple(findings), assessment.risk, verdict)


def _redacted(text: str, policy: Policy) -> tuple[Redaction, list[Finding], list[Finding]]:
    """The redaction, what it took away, and the personal data that it left for the policy."""
    taken: list[Finding] = []
    redaction = redact(text, taken)
    for _ in range(_MOST_ROUNDS):
        located = [_located(each, redaction) for each in _find(redaction.text)]
        new = [each for each in located if _must_go(each, policy)]
        if not new:
            return redaction, taken, merged(located)
        taken = merged((*taken, *merged(new)))
        redaction = redact(text, taken)
    whole = Finding(Category.SECRET, "text", _UNSETTLED, Severity.CRITICAL, 0, len(text))
    return redact(text, [whole]), [whole], []


def _find(text: str) -> Iterator[Finding]:
    yield from find_secrets(text)
    yield from find_personal_data(text)


def _must_go(finding: Finding, policy: Policy) -> bool:
    return finding.category is Category.SECRET or policy.action(finding.kind) is PiiAction.REDACT


def _located(finding: Finding, redaction: Redaction) -> Finding:
    start, end = redaction.to_original(finding.start, finding.end)
    return replace(finding, start=start, end=end)
