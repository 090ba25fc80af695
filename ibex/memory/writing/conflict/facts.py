"""Whether two texts that mean nearly the same name the same facts."""

import re
from collections import Counter
from datetime import datetime

from ibex.memory.time import Interval, mentions
from ibex.memory.time.sentences import spoken
from ibex.memory.writing.conflict.wording import stem, words, words_of

_NUMBERS = {
    "zero": "0",
    "one": "1",
    "two": "2",
    "three": "3",
    "four": "4",
    "five": "5",
    "six": "6",
    "seven": "7",
    "eight": "8",
    "nine": "9",
    "ten": "10",
    "eleven": "11",
    "twelve": "12",
}
_NEGATIONS = words(
    "no not never nobody nothing neither nor none without cannot stopped quit hardly barely unable"
)
# Words that carry no fact of their own.
_FUNCTION = words(
    """
    a an the i it me its this that these those is am are was were be been being do does did have has had will
    would can could shall should may might must of in on at to for from with by about as and or but so if then
    than too also just very really now well oh hey hi much truly indeed yes yeah ok okay there here s m re ve
    ll d t user i'm it's i've i'll that's i'd
    """
)
_SYNONYMS = {
    "purchased": "bought",
    "purchase": "buy",
    "begins": "starts",
    "began": "started",
    "begin": "start",
    "kids": "children",
    "kid": "child",
    "movie": "film",
    "movies": "films",
    "big": "large",
    "mum": "mother",
    "mom": "mother",
    "dad": "father",
    "telephone": "phone",
    "automobile": "car",
    "bike": "bicycle",
    "quick": "fast",
    "quickly": "fast",
}
_CAPITALISED = re.compile(r"\b[A-Z][\w'-]*")


def numbers(text: str) -> Counter[str]:
    """The numbers, in figures or in words."""
    found = (_NUMBERS.get(word, word) for word in words_of(text))
    return Counter(word for word in found if any(letter.isdigit() for letter in word))


def negated(text: str) -> bool:
    """Whether an odd number of words deny."""
    words = words_of(text)
    return sum(word in _NEGATIONS or word.endswith("n't") for word in words) % 2 == 1


def same_names(one: str, other: str) -> bool:
    """Whether each text holds, in whatever case, the capitalised words of the other."""
    return _names(one) <= set(words_of(other)) and _names(other) <= set(words_of(one))


def _names(text: str) -> set[str]:
    return {word for name in _CAPITALISED.findall(text) for word in words_of(name)} - _FUNCTION


def _times(text: str, observed_at: datetime) -> set[Interval]:
    return {mention.interval for mention in mentions(text, observed_at)}


def same_times(one: str, at: datetime, other: str, other_at: datetime) -> bool:
    """Whether they name the same times: "yesterday" is another day a week later."""
    return _times(one, at) == _times(other, other_at)


def same_words(one: str, other: str) -> bool:
    """Whether they are made of the same words but for order, endings, synonyms and what carries no fact.

    A word that only one of them has may be all that matters, in any language: "oak" and "pine".
    """
    return _content(one) == _content(other)


def _content(text: str) -> set[str]:
    return {
        stem(_SYNONYMS.get(word, _NUMBERS.get(word, word)))
        for word in words_of(text)
        if word not in _FUNCTION
    }


def same_facts(one: str, at: datetime, other: str, other_at: datetime) -> bool:
    """Whether nothing is lost when only one of two texts stays."""
    speaker, words = spoken(one)
    other_speaker, other_words = spoken(other)
    return (
        speaker == other_speaker
        and numbers(words) == numbers(other_words)
        and negated(words) == negated(other_words)
        and same_names(words, other_words)
        and same_times(words, at, other_words, other_at)
        and same_words(words, other_words)
    )
