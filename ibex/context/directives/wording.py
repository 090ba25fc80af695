"""Checks of what people write into a directive."""

import unicodedata

from ibex.auth.names import checked_description, invalid
from ibex.context.directives.directive import MODES, InjectionMode

# Bytes. Some 8,000 tokens of English: more than that is documents, which belong into memory.
_LONGEST = 32 << 10
_WHITE = frozenset("\n\r\t")


def checked_content(content: str) -> str:
    """A text of 1 byte to 32 KiB of UTF-8, kept as it is. Raises VALIDATION_ERROR."""
    if not content.strip():
        raise invalid("content", "A directive has at least one character that can be seen.")
    if any(unicodedata.category(each) in {"Cc", "Cs"} and each not in _WHITE for each in content):
        raise invalid("content", "A directive has no control characters but tabs and line breaks.")
    size = len(content.encode())
    if size > _LONGEST:
        raise invalid("content", f"A directive has {_LONGEST:,} bytes of UTF-8 at most, not {size:,}.")
    return content


def checked_mode(mode: str) -> InjectionMode:
    """Raises VALIDATION_ERROR."""
    known = next((each for each in MODES if each == mode), None)
    if known is None:
        there_are = ", ".join(f"`{each}`" for each in MODES)
        raise invalid("mode", f"`{mode[:64]}` is no mode; there are {there_are}.")
    return known


def checked_summary(summary: str) -> str:
    """Up to 2,000 characters. Raises VALIDATION_ERROR."""
    return checked_description(summary, field="change_summary")


def checked_share(share: float) -> float:
    """Between 0 and 1. Raises VALIDATION_ERROR."""
    if not 0 <= share <= 1:
        raise invalid("share", "A share of the sessions lies between 0 and 1.")
    return share
