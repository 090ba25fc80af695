"""One sign that a text was written to instruct a model."""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True, slots=True)
class Sign:
    """A sign found in a text: its rule, its span, and how much it adds to the risk, 0 to 1."""

    rule: str
    weight: float
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Phrase:
    """A way of speaking to a model, as a regular expression over folded text.

    needles: groups of strings; of each group one must occur before the expression is tried, which spares most
        texts the most work.
    """

    rule: str
    weight: float
    needles: tuple[tuple[str, ...], ...]
    expression: str

    def find(self, folded: str) -> Iterator[re.Match[str]]:
        """Every place where the folded text speaks so."""
        if all(any(needle in folded for needle in group) for group in self.needles):
            yield from _compiled(self.expression).finditer(folded)


def phrase(rule: str, weight: float, needles: str, *pattern: str) -> Phrase:
    """A phrase of whole words. A space in the pattern is any separator.

    `needles` are divided by commas, their groups by semicolons.
    """
    joined = "".join(pattern).replace(" ", r"[\W_]{1,3}")
    return _phrase(rule, weight, needles, rf"(?<![^\W_])(?:{joined})(?![^\W_])")


def unspaced_phrase(rule: str, weight: float, needles: str, *pattern: str) -> Phrase:
    """A phrase of a script that sets no spaces between words, or whose words take suffixes."""
    return _phrase(rule, weight, needles, "".join(pattern))


def words(most: int, but: str = "") -> str:
    """Up to so many words in between, as few as will do, none of which is one of `but`."""
    barred = rf"(?!(?:{but})(?![^\W_]))" if but else ""
    return rf"(?:[\W_]{{1,3}}{barred}[^\W_]{{1,16}}){{0,{most}}}?"


def _phrase(rule: str, weight: float, needles: str, pattern: str) -> Phrase:
    normal = unicodedata.normalize("NFKC", pattern)
    groups = tuple(tuple(group.split(",")) for group in unicodedata.normalize("NFKC", needles).split(";"))
    return Phrase(rule, weight, groups, normal)


@cache
def _compiled(expression: str) -> re.Pattern[str]:
    """When it is first needed: to compile all of them takes a third of a second."""
    return re.compile(expression)
