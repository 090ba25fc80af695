"""Sentences, and what they are about."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from ibex.memory import Tokenizer

# ruff: noqa: RUF001, other scripts end sentences, too

# A sentence ends at its mark or with its line; that of scripts without spaces needs none behind it.
_SENTENCE = re.compile(r"[^.!?…。！？\n]*(?:[.!?…]+[\"'”’)\]]*(?=\s|$)|[。！？]+[」』”）]*|\n|[.!?…]+|$)\s*")


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence with the white space behind it, and the stems of its words that tell something."""

    text: str = field(repr=False)
    stems: frozenset[str] = field(repr=False)


def sentences(text: str, tokenizer: Tokenizer) -> Sequence[Sentence]:
    """Put together again, they are the text."""
    pieces: list[str] = []
    for piece in _SENTENCE.findall(text):
        # A point within a number or a name ends nothing.
        if pieces and not _has_ended(pieces[-1]):
            pieces[-1] += piece
        elif piece:
            pieces.append(piece)
    return [Sentence(piece, frozenset(tokenizer.terms(piece).counts)) for piece in pieces]


def _has_ended(piece: str) -> bool:
    return piece[-1].isspace() or piece.rstrip("」』”）")[-1:] in "。！？"
