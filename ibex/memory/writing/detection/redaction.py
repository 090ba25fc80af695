"""Placeholders in the place of what must not be stored."""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, replace

from ibex.memory.writing.detection.finding import Category, Finding


@dataclass(frozen=True, slots=True)
class Redaction:
    """A text with spans replaced by placeholders, which knows where each of its characters came from.

    starts: where each piece begins in `text`; pieces are kept spans and placeholders in turn.
    origins: the span of the original that each piece is, or stands for.
    kept: whether the piece is the original's, character for character.
    """

    text: str
    starts: tuple[int, ...]
    origins: tuple[tuple[int, int], ...]
    kept: tuple[bool, ...]

    def to_original(self, start: int, end: int) -> tuple[int, int]:
        """The span of the original that a span of `text` came from. A placeholder is taken whole."""
        first = bisect_right(self.starts, start) - 1
        last = bisect_right(self.starts, end - 1) - 1
        original_start, original_end = self.origins[first][0], self.origins[last][1]
        if self.kept[first]:
            original_start += start - self.starts[first]
        if self.kept[last]:
            original_end = self.origins[last][0] + end - self.starts[last]
        return original_start, original_end


def redact(original: str, findings: Iterable[Finding]) -> Redaction:
    """The text with each finding replaced by a placeholder that names its kind. Findings must not overlap."""
    pieces: list[str] = []
    starts: list[int] = []
    origins: list[tuple[int, int]] = []
    kept: list[bool] = []
    length = position = 0

    def add(piece: str, start: int, end: int, *, is_kept: bool) -> None:
        nonlocal length
        pieces.append(piece)
        starts.append(length)
        origins.append((start, end))
        kept.append(is_kept)
        length += len(piece)

    for finding in sorted(findings, key=lambda each: each.start):
        if finding.start > position:
            add(original[position : finding.start], position, finding.start, is_kept=True)
        add(f"[REDACTED:{finding.kind}]", finding.start, finding.end, is_kept=False)
        position = finding.end
    if position < len(original) or not pieces:
        add(original[position:], position, len(original), is_kept=True)
    return Redaction("".join(pieces), tuple(starts), tuple(origins), tuple(kept))


def merged(findings: Iterable[Finding]) -> list[Finding]:
    """Findings that do not overlap: where some did, one over all of them, of the worst one's kind.

    Personal data that overlaps a secret is left out: the end of `postgres://ada:<password>@example.org` looks
    like an address, and once the password is gone it does not.
    """
    ordered = list(findings)
    secrets = _joined(each for each in ordered if each.category is Category.SECRET)
    starts = [each.start for each in secrets]
    others = (each for each in ordered if each.category is not Category.SECRET)
    apart = _joined(each for each in others if not _overlaps(each, secrets, starts))
    return sorted((*secrets, *apart), key=lambda each: each.start)


def _joined(findings: Iterable[Finding]) -> list[Finding]:
    joined: list[Finding] = []
    for finding in sorted(findings, key=lambda each: (each.start, -each.end)):
        if not joined or finding.start >= joined[-1].end:
            joined.append(finding)
            continue
        last = joined[-1]
        worst = max(last, finding, key=lambda each: (each.severity, each.end - each.start))
        joined[-1] = replace(worst, start=last.start, end=max(last.end, finding.end))
    return joined


def _overlaps(finding: Finding, others: list[Finding], starts: list[int]) -> bool:
    index = bisect_right(starts, finding.end - 1) - 1
    return index >= 0 and others[index].end > finding.start
