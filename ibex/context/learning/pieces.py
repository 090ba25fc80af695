"""Long texts in pieces that can be told one by one."""

import re
from collections.abc import Iterator

# ruff: noqa: RUF001, other scripts end sentences, too

# Some 300 tokens: what an embedding model reads as a whole, and what leaves room for others in a prompt.
LONGEST = 1_200
# Where a text may be cut, the best place first: between paragraphs, lines, sentences and words.
_SEPARATORS = (r"\n\s*\n", r"\n", r"(?<=[.!?。！？])\s*", r"\s+")


def pieces(text: str) -> list[str]:
    """The text in pieces of `LONGEST` characters at most, none of them empty; the spaces between them go."""
    return [piece for part in _joined(_split(text, 0)) if (piece := part.strip())]


def _split(text: str, level: int) -> Iterator[str]:
    """Parts that are short enough, each with what separates it from the next one."""
    if len(text) <= LONGEST:
        yield text
    elif level == len(_SEPARATORS):
        yield from (text[at : at + LONGEST] for at in range(0, len(text), LONGEST))
    else:
        begin = 0
        for separator in re.finditer(_SEPARATORS[level], text):
            yield from _split(text[begin : separator.end()], level + 1)
            begin = separator.end()
        yield from _split(text[begin:], level + 1)


def _joined(parts: Iterator[str]) -> Iterator[str]:
    """As many parts in one piece as it can hold."""
    piece = ""
    for part in parts:
        if len(piece) + len(part) > LONGEST:
            yield piece
            piece = ""
        piece += part
    yield piece
