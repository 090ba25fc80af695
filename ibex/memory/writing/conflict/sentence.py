"""One sentence, without what does not bear on what it claims."""

import re
from dataclasses import dataclass
from datetime import datetime

from ibex.memory.time import Mention, mentions

_LEAD = re.compile(
    r"^(?:(?:well|so|oh|hey|hi|by the way|btw|actually|yes|yeah|no|and|but|ok|okay|update|correction|note|"
    r"fyi|just so you know|for the record|as of (?:now|today)|these days|nowadays|now|currently|right now|"
    r"recently)"
    r"\b[,:!]?\s+)+",
    re.IGNORECASE,
)
_TAIL = re.compile(
    r"[,\s]+(?:now|again|any ?more|any longer|these days|currently|at the moment|actually|by the way|btw|"
    r"instead|recently|lately|right now|at all|though|as well|too|nowadays|already|from now on)$",
    re.IGNORECASE,
)
_CHANGE = re.compile(
    r"\b(?:now|any ?more|any longer|no longer|instead|again|these days|nowadays|from now on|already|"
    r"correction|"
    r"update)\b",
    re.IGNORECASE,
)
_ADDITION = re.compile(
    r"\b(?:also|too|as well|another|part-time|sometimes|often|mostly|usually|partly|besides)\b", re.IGNORECASE
)
# Wishes, doubts, conditions and what others said claim nothing.
_UNREAL = re.compile(
    r"\b(?:if|unless|would|could|might|may be|maybe|perhaps|probably|wish|hope|hoping|plans? to|planning|"
    r"want|wants|wanted|going to|gonna|think|thinking|thought|guess|imagine|suppose|pretend|jok(?:e|ing)|"
    r"kidding|almost|nearly|dreams?|dreamt|dreamed|said|says|told|asked|heard|believe|considering|should|"
    r"not sure|when i|as a kid)\b|[\"?]|'d\b|^not\W*$",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence that states something.

    Parameters
    ----------
    dated: its words with the times they name.
    lasting: its words without "since 2019": what it says of a limited time only is not said in general.
    bare: its words without any time: when a change happened does not matter to what changed.
    over_by: the end of the last time that is named and over; None without one.
    changes: whether it says that something is so only now.
    adds: whether it says that something is so besides something else.
    """

    dated: str
    lasting: str
    bare: str
    over_by: datetime | None
    changes: bool
    adds: bool
    observed_at: datetime


def read(text: str, observed_at: datetime) -> Sentence | None:
    """The sentence to look at, or None when it does not state anything."""
    if _UNREAL.search(text):
        return None
    dated = _trimmed(text)
    found = mentions(dated, observed_at)
    lasting = _without(dated, [each for each in found if each.interval.end is None])
    changes, adds = bool(_CHANGE.search(text)), bool(_ADDITION.search(text))
    ends = [each.interval.end for each in found if each.interval.end and each.interval.end <= observed_at]
    return Sentence(
        dated, lasting, _without(dated, found), max(ends, default=None), changes, adds, observed_at
    )


def _without(text: str, times: list[Mention]) -> str:
    for start, end in (mention.span for mention in reversed(times)):
        text = text[:start] + text[end:]
    return _trimmed(text)


def _trimmed(text: str) -> str:
    words = " ".join(text.rstrip(" .!,;").strip(" ,;").split())
    words = _LEAD.sub("", words)
    while (shorter := _TAIL.sub("", words)) != words:
        words = shorter
    return words.rstrip(" ,;")
