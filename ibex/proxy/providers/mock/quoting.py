"""Finds the sentences of a conversation that have to do with a question, by the words they share."""

import re
import unicodedata
from collections.abc import Iterable, Sequence

_CLOSING = "\"'\u201d\u2019)]"
# ASCII, full width, Arabic.
_QUESTION_MARKS = ("?", "\uff1f", "\u061f")
# Markup around a memory ends a sentence as a full stop does.
_SENTENCE_END = re.compile(
    rf"(?<=[.!?…])\s+|(?<=[.!?…][{re.escape(_CLOSING)}])\s+|[\r\n]+|</?[A-Za-z][^<>]*>"
)
_BULLET = re.compile(r"^(?:[-*•]|\d{1,3}[.)])\s+")
_WORD = re.compile(r"\w+")
_STOP_WORDS = """
    a about all am an and any are as at be been but by can could d did do does for from had has have he her
    him his how i if in is it its just ll m may me might my no not of on or our re s shall she should so some
    t tell than that the their them then there these they this those to u us ve was we were what when where
    which who whom whose why will with would you your
"""
_QUESTION_OPENINGS = """
    are can could did do does had has have how is remind should tell was were what when where which who whom
    whose why will would
"""


def is_question(text: str) -> bool:
    if any(mark in text for mark in _QUESTION_MARKS):
        return True
    first = _WORD.search(text)
    return first is not None and first[0].casefold() in _QUESTION_OPENINGS.split()


def relevant_sentences(question: str, texts: Sequence[str], most: int) -> list[str]:
    """Up to `most` sentences, verbatim, best first; of equals the one of the latest text.

    A sentence that is itself a question tells nothing and is passed over.
    """
    asked = _singulars(_words(question).difference(_STOP_WORDS.split()))
    scored: dict[str, tuple[int, int, int]] = {}
    for age, text in enumerate(reversed(texts)):
        for position, sentence in enumerate(_sentences(text)):
            shared = len(asked & _singulars(_words(sentence)))
            if shared and sentence not in scored:
                scored[sentence] = (-shared, age, position)
    return sorted(scored, key=scored.__getitem__)[:most]


def _sentences(text: str) -> Iterable[str]:
    for piece in _SENTENCE_END.split(text):
        sentence = _BULLET.sub("", piece.strip())
        if sentence and not sentence.rstrip(_CLOSING).endswith(_QUESTION_MARKS):
            yield sentence


def _words(text: str) -> set[str]:
    return set(_WORD.findall(unicodedata.normalize("NFKC", text).casefold()))


def _singulars(words: set[str]) -> set[str]:
    # So that "lives" meets "live" and "dogs" meets "dog".
    return {word[:-1] if len(word) > 3 and word.endswith("s") else word for word in words}
