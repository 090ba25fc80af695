"""Who said a memory, and whose words a question asks for."""

import re
from collections.abc import Set

from ibex.memory.retrieval.record import Record

# "Name: text", a name being up to three words that begin with a letter.
_PREFIX = re.compile(r"\s*([^\W\d_][\w.'\u2019-]{0,31}(?: [^\W\d_][\w.'\u2019-]{0,31}){0,2}): ")

_FIRST_PERSON = frozenset(("i", "me", "my", "mine", "myself", "we", "us", "our", "ours"))
_SECOND_PERSON = frozenset(("you", "your", "yours", "yourself"))
# What the two are called by those who make models.
_USER = frozenset(("user", "human"))
_ASSISTANT = frozenset(("assistant", "ai", "model"))


def speaker_of(record: Record) -> str | None:
    """The speaker that is known apart from the text, else the one the text starts with."""
    if record.speaker is not None:
        return record.speaker
    match = _PREFIX.match(record.text)
    return match[1] if match else None


def asked_for(words: Set[str]) -> Set[str]:
    """The words of a question by which speakers are known; `words` are all of its words, folded.

    To an assistant "I" is the user and "you" is the assistant. A question with both asks for neither.
    """
    first, second = not words.isdisjoint(_FIRST_PERSON), not words.isdisjoint(_SECOND_PERSON)
    if first == second:
        return words
    return words | (_USER if first else _ASSISTANT)
