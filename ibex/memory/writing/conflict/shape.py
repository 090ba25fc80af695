"""The form of a sentence that makes a claim, and how it is read."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum

from ibex.memory.writing.conflict.claim import Claim
from ibex.memory.writing.conflict.sentence import Sentence

# A value written freely, of at most six words and no clause.
VALUE = r"(?:(?!(?:that|because|but|which|who|when|so|and i|while|than|not|no)\b)[^\s,;:]+)"
PHRASE = rf"{VALUE}(?: {VALUE}){{0,5}}"
PROPER = r"(?-i:[A-Z][\w.&'-]*(?:,? (?:of |de |la |upon |the )?[A-Z][\w.&'-]*){0,3})"
NOT = r"(?:(?P<no>do not|don't|does not|doesn't|no longer|never) )?"
BE = r"(?:am|is|are|'m|'s|'re)"

Reader = Callable[[re.Match[str], Sentence, str], list[Claim]]


class Times(Enum):
    """What a shape does with the times that a sentence names. They are dropped where a change is told."""

    KEPT = "kept"
    LASTING = "lasting"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class Shape:
    """A pattern for a whole sentence; the reader gets the match, the sentence and who says "I"."""

    pattern: re.Pattern[str]
    read: Reader
    times: Times

    @classmethod
    def of(cls, pattern: str, read: Reader, times: Times = Times.LASTING) -> "Shape":
        return cls(re.compile(pattern, re.IGNORECASE), read, times)

    def claims(self, sentence: Sentence, speaker: str) -> list[Claim]:
        words = {Times.KEPT: sentence.dated, Times.LASTING: sentence.lasting, Times.DROPPED: sentence.bare}
        match = self.pattern.fullmatch(words[self.times])
        claims = self.read(match, sentence, speaker) if match else []
        if self.times is Times.DROPPED:
            return [replace(claim, changed_by=sentence.over_by) for claim in claims]
        return claims
