"""Whether a sentence speaks of what was or of what will be."""

import re
from enum import Enum

_FUTURE = re.compile(
    r"\b(?:will|won't|shall|gonna|going to|plan(?:s|ning)? (?:to|on)|hop(?:e|es|ing) to|looking forward|"
    r"upcoming|due|scheduled|deadline|see you)\b|'ll\b|\b(?:am|is|are|'m|'re|'s) \w{2,}ing\b",
    re.IGNORECASE,
)
# Regular pasts end in "ed"; these are the commonest others.
_PAST = re.compile(
    r"\b(?:was|were|wasn't|weren't|did|didn't|had|been|went|got|made|took|came|saw|said|told|gave|found|"
    r"thought|felt|left|met|bought|brought|began|became|built|broke|caught|chose|drove|ate|fell|flew|forgot|"
    r"grew|heard|held|kept|knew|led|lost|paid|ran|rode|sang|sat|sent|slept|sold|spent|spoke|stood|swam|"
    r"taught|threw|understood|woke|won|wore|wrote|back in|\w{2,}[^e\W]ed)\b",
    re.IGNORECASE,
)
# How far a sentence is followed, in characters: a verb further away says nothing of the time.
_REACH = 200
_STOP = re.compile(r"[.!?\n;]+(?=\s|$)")


class Tense(Enum):
    PAST = -1
    UNKNOWN = 0
    FUTURE = 1


def tense_at(text: str, position: int) -> Tense:
    """The tense of the sentence around a position."""
    start, end = max(0, position - _REACH), min(len(text), position + _REACH)
    for stop in _STOP.finditer(text, start, end):
        if stop.end() <= position:
            start = stop.end()
        else:
            end = stop.start()
            break
    future, past = _FUTURE.search(text, start, end), _PAST.search(text, start, end)
    if future and past:
        # The verb nearest to the words decides.
        is_future = abs(future.start() - position) < abs(past.start() - position)
        return Tense.FUTURE if is_future else Tense.PAST
    return Tense.FUTURE if future else Tense.PAST if past else Tense.UNKNOWN
