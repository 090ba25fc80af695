"""National identification numbers, checked by python-stdnum."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module

from ibex.memory.writing.detection.finding import Category, Finding, Severity
from ibex.memory.writing.detection.personal.context import (
    Vocabulary,
    context_of,
    continues_list,
    follows_placeholder,
)
from ibex.memory.writing.detection.personal.zones import Zone


@dataclass(frozen=True, slots=True)
class Identifier:
    """How the numbers of one register look, and which words go with them.

    check: the module of python-stdnum whose `is_valid` decides, or None when the form is all there is.
    fewest_digits: how many digits a number of this form has at least.
    alone: whether form and check digits tell enough without a word nearby.
    """

    rule: str
    check: str | None
    shape: re.Pattern[str]
    vocabulary: Vocabulary
    fewest_digits: int
    alone: bool

    def numbers(self, text: str, zone: Zone) -> Iterator[tuple[int, int]]:
        """The spans in one zone of the text that have the form and the check digits."""
        if zone.digits >= self.fewest_digits:
            for match in self.shape.finditer(text, zone.start, zone.end):
                if self._is_valid(match[0]):
                    yield match.span()

    def is_meant(self, text: str, start: int, end: int) -> bool:
        """Whether the words around a number fit the register, or its form says enough."""
        context = context_of(text, start, end)
        if self.alone:
            return not context.speaks_against(self.vocabulary)
        return context.speaks_for(self.vocabulary)

    def _is_valid(self, number: str) -> bool:
        # Imported with the first candidate: python-stdnum takes some 80 ms and 13 MB with all its modules.
        return self.check is None or bool(import_module(f"stdnum.{self.check}").is_valid(number))


def find_identifiers(text: str, zones: Sequence[Zone], registers: Sequence[Identifier]) -> Iterator[Finding]:
    """Numbers of any of the registers. In a list, the first number speaks for those after it."""
    previous_end = -1
    for zone in zones:
        numbers = [(span, register) for register in registers for span in register.numbers(text, zone)]
        for (start, end), register in sorted(numbers, key=lambda number: number[0]):
            if (
                register.is_meant(text, start, end)
                or continues_list(text, previous_end, start)
                or follows_placeholder(text, "national_id", start)
            ):
                previous_end = end
                yield Finding(Category.PII, "national_id", register.rule, Severity.HIGH, start, end)
