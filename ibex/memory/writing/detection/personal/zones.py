"""Where in a text identifiers can be: the stretches that have digits close together."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

# What a number may not touch: digits and the letters of alphabets. Scripts without spaces set their words
# right against a number.
LETTERS = r"0-9A-Za-z_\u00c0-\u1fff"
# What stands between the groups of a number: space (also no-break, thin and narrow), dot, hyphen (also
# non-breaking), en dash, slash.
SEPARATOR = r"[ \u00a0\u2009\u202f.\-\u2010\u2011\u2013/]"
_ZONE = re.compile(rf"[+(]?[0-9A-Z](?:[0-9A-Z+()]|{SEPARATOR})*+")
_DIGIT = re.compile(r"[0-9]")
_FEWEST_DIGITS = 4
_GROUP_END = re.compile(rf"(?<=[0-9A-Za-z])(?:{SEPARATOR}|[()])")


@dataclass(frozen=True, slots=True)
class Zone:
    """A stretch of the text from `start` to `end` with so many digits."""

    start: int
    end: int
    digits: int


def digit_zones(text: str) -> Iterator[Zone]:
    """The stretches with at least four digits, in order. An identifier lies within one, or there is none."""
    for match in _ZONE.finditer(text):
        start, end = match.span()
        digits = len(_DIGIT.findall(text, start, end)) if end - start >= _FEWEST_DIGITS else 0
        if digits >= _FEWEST_DIGITS:
            # The two characters after the zone stay visible to the patterns, which ask for a boundary.
            yield Zone(start, min(end + 2, len(text)), digits)


def shorter_ends(text: str, start: int, end: int) -> list[int]:
    """Where a number may end, the longest first: a pattern may have taken the next number's first groups."""
    return [end, *(match.start() for match in reversed([*_GROUP_END.finditer(text, start, end)]))]
