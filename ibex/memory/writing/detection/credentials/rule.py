"""A rule that knows one shape of secret."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ibex.memory.writing.detection.finding import Category, Finding, Severity


@dataclass(frozen=True, slots=True)
class SecretRule:
    """A shape that cannot be anything but a secret.

    needles: strings of which the text must contain one before the pattern is tried. A substring search is
        many times faster than a pattern, and most texts hold no secret.
    pattern: its group `secret`, where there is one, is what must go; else the whole match.
    """

    name: str
    kind: str
    needles: tuple[str, ...]
    pattern: re.Pattern[str]
    severity: Severity = Severity.HIGH

    def find(self, text: str) -> Iterator[Finding]:
        """Every secret of this shape in the text."""
        if not any(needle in text for needle in self.needles):
            return
        group = "secret" if "secret" in self.pattern.groupindex else 0
        for match in self.pattern.finditer(text):
            yield Finding(Category.SECRET, self.kind, self.name, self.severity, *match.span(group))


def find_all(rules: Iterable[SecretRule], text: str) -> Iterator[Finding]:
    """Every secret that one of the rules knows."""
    for rule in rules:
        yield from rule.find(text)
