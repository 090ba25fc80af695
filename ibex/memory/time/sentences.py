"""The parts of a turn: who says it, and its sentences."""

import re

_SPEAKER = re.compile(r"\s*([^\W\d_][\w.'-]{0,30}(?: [A-Z][\w.'-]{0,30})?):\s+")
# A stop within a word ("3.5", "e.g", "ibex.example") ends nothing.
_SENTENCE = re.compile(r"(?:[^.!?\n]|[.!?](?=\w))+[.!?]*")


def spoken(text: str) -> tuple[str | None, str]:
    """Speaker and words of "Name: words"; None and the text when it has no such form."""
    prefix = _SPEAKER.match(text)
    return (prefix[1], text[prefix.end() :]) if prefix else (None, text)


def sentences(text: str) -> list[str]:
    """Its sentences with their closing marks, stripped."""
    return [each for match in _SENTENCE.finditer(text) if (each := match[0].strip())]
