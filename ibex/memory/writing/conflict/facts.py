"""Whether two texts that mean nearly the same name the same facts."""

import re
from collections import Counter
from datetime import datetime

from ibex.memory.time import Interval, mentions
from ibex.memory.time.sentences import spoken
from ibex.memory.writing.conflict.wording import contrast, stem, words, words_of

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
    a an the i we you he she it they me us him her them my our your his its their this that these those is am
    are was were be been being do does did have has had will would can could shall should may might must of in
    on at to for from with by about as and or but so if then than too also just very really now well oh hey hi
    yes yeah ok okay there here s m re ve ll d t user i'm it's i've i'll that's i'd we're you're
    """
)
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


def adds_nothing(new: str, old: str) -> bool:
    """Whether the words of `new` that `old` lacks stand for as many others, and none for its contrary."""
    added, missing = _content(new) - _content(old), _content(old) - _content(new)
    if len(added) > len(missing):
        return False
    stems = {stem(word) for word in missing}
    return not any(contrast(a, m) for a in added if stem(a) not in stems for m in missing)


def _content(text: str) -> set[str]:
    return {word for word in words_of(text) if word not in _FUNCTION}


def same_facts(new: str, new_at: datetime, old: str, old_at: datetime) -> bool:
    """Whether numbers, names, negation, times and speaker are equal and `new` adds nothing."""
    speaker, new_words = spoken(new)
    old_speaker, old_words = spoken(old)
    return (
        speaker == old_speaker
        and numbers(new_words) == numbers(old_words)
        and negated(new_words) == negated(old_words)
        and same_names(new_words, old_words)
        and same_times(new_words, new_at, old_words, old_at)
        and adds_nothing(new_words, old_words)
    )
