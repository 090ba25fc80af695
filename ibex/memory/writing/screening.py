"""Secrets, personal data and attempts to instruct a model: what of a memory may be stored, and whether seen.

Whatever carries text is read: a key in the metadata opens as much as one in the content.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from ibex.auth.names import invalid
from ibex.memory.memory import Label, Provenance, Scope
from ibex.memory.writing.detection import Finding, PiiAction, Policy, Verdict, inspect
from ibex.memory.writing.detection.credentials import find_secrets
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


@dataclass(frozen=True, slots=True)
class ScreenedText:
    """A text without what must not be stored; one that is quarantined is for nobody to be told."""

    text: str = field(repr=False)
    is_quarantined: bool


def screened_text(text: str, pii: str) -> ScreenedText:
    """As the write path would, of a text that is to be told before it is stored.

    `pii` is what the organization wants done with personal data: `allow`, `redact` or `quarantine`.
    """
    inspection = inspect(text, Policy(pii=PiiAction(pii)))
    return ScreenedText(inspection.text_to_store, inspection.verdict is Verdict.QUARANTINE)


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
        labels=_labels({redacted(label.name)[:64]: label.confidence for label in checked.labels}),
        metadata=with_texts(checked.metadata, redacted),
        provenance=replace(checked.provenance, speaker=redacted(speaker)[:200] if speaker else None),
    )
    return ScreenedMemory(
        checked=stored,
        findings=content.findings,
        risk=max([content.risk, *(risk for risk, _ in others)]),
        is_quarantined=Verdict.QUARANTINE in (content.verdict, *(verdict for _, verdict in others)),
    )


def refuse_secrets(scope: Scope, provenance: Provenance) -> None:
    """Raises VALIDATION_ERROR when an identifier holds a secret: without it, it would be another one."""
    identifiers = {
        "user_id": scope.user_id,
        "session_id": scope.session_id,
        "role": provenance.role,
        "trace_id": provenance.trace_id,
    }
    for name, identifier in identifiers.items():
        if identifier is not None and any(find_secrets(identifier)):
            raise invalid(name, f"`{name}` holds a secret, which is not stored; name it otherwise.")


def _labels(confidences: Mapping[str, float]) -> tuple[Label, ...]:
    return tuple(Label(name, confidence) for name, confidence in confidences.items())
