"""Secrets, personal data and attempts to instruct a model: what of a memory may be stored, and whether seen.

Whatever carries text is read: a key in the metadata opens as much as one in the content.
"""

from dataclasses import dataclass, replace

from ibex.memory.writing.detection import Finding, Policy, Verdict, inspect
from ibex.memory.writing.metadata import with_texts
from ibex.memory.writing.validation import CheckedMemory


@dataclass(frozen=True, slots=True)
class ScreenedMemory:
    """A memory without what must not be stored.

    Parameters
    ----------
    findings: what was found in the content; `start` and `end` are offsets into the text that came.
    risk: of prompt injection, 0 to 1; the highest of all its texts.
    is_quarantined: kept apart until somebody has looked at it.
    """

    checked: CheckedMemory
    findings: tuple[Finding, ...]
    risk: float
    is_quarantined: bool


def screened(checked: CheckedMemory, policy: Policy) -> ScreenedMemory:
    """Redact what the policy wants redacted, and judge the rest."""
    content = inspect(checked.content, policy)
    others: list[tuple[float, Verdict]] = []

    def redacted(text: str) -> str:
        inspection = inspect(text, policy)
        others.append((inspection.risk, inspection.verdict))
        return inspection.text_to_store

    speaker = checked.provenance.speaker
    stored = replace(
        checked,
        content=content.text_to_store,
        # A redaction may make two of them the same, and one longer than it was.
        tags=tuple(dict.fromkeys(redacted(tag)[:64] for tag in checked.tags)),
        metadata=with_texts(checked.metadata, redacted),
        provenance=replace(checked.provenance, speaker=redacted(speaker)[:200] if speaker else None),
    )
    return ScreenedMemory(
        checked=stored,
        findings=content.findings,
        risk=max([content.risk, *(risk for risk, _ in others)]),
        is_quarantined=Verdict.QUARANTINE in (content.verdict, *(verdict for _, verdict in others)),
    )
