"""Since and until when a statement holds."""

import re
from datetime import datetime

from ibex.memory.time.interval import Interval
from ibex.memory.time.periods import UNITS
from ibex.memory.time.scanner import mentions
from ibex.memory.time.sentences import sentences, spoken
from ibex.memory.time.vocabulary import COUNT, UNIT, count_of

# "I have lived here for three years": it holds still. Without "have" it is over.
_HAS = re.compile(r"(?:\b(?:have|has)|'ve|'s been)\b(?! to\b)", re.IGNORECASE)
_FOR_SO_LONG = re.compile(
    rf"\bfor\s+(?:about\s+|almost\s+|over\s+)?{COUNT}\s+{UNIT}(?!\s+ago)", re.IGNORECASE
)
_PAST_STRETCH = re.compile(r"(?:for|over|during)\s+(?:the|these)\s+(?:past|last)\s", re.IGNORECASE)
_RANGE = re.compile(
    r"(?:from|between)\s.*(?:\b(?:to|and|until|till|through)\s|\d\s*[-\N{EN DASH}]\s*\d)", re.IGNORECASE
)
# Said of a wish, a doubt or a condition, an interval holds nothing.
_UNREAL = re.compile(r"\b(?:if|would|could|might|maybe|perhaps|wish|unless|whether)\b", re.IGNORECASE)


def validity(text: str, observed_at: datetime) -> tuple[datetime | None, datetime | None] | None:
    """From and until when a text holds, when it says so; None when it does not, or of which part is unclear.

    "until" takes in the period it names. What was over when it was said ("from 2015 to 2018") is told as the
    past, and that does not cease to be true: None. Only a text of one sentence is read: the dates of one of
    several would bind the others. Raises ValueError when `observed_at` has no time zone.
    """
    sentence = _only_sentence(text)
    if sentence is None or sentence.rstrip().endswith("?") or _UNREAL.search(sentence):
        return None
    bounds = [bound for bound in _bounds(sentence, observed_at) if bound != Interval()]
    if not bounds:
        return None
    whole = bounds[0]
    for bound in bounds[1:]:
        # A second beginning or end is of something else.
        if (whole.start and bound.start) or (whole.end and bound.end):
            return None
        both = whole.intersection(bound)
        if both is None:
            return None
        whole = both
    return None if whole.end and whole.end <= observed_at else (whole.start, whole.end)


def _only_sentence(text: str) -> str | None:
    # "Hi!" and "Oh yes." say nothing that could be bound.
    telling = [each for each in sentences(spoken(text)[1]) if len(each.split()) > 2]
    return telling[0] if len(telling) == 1 else None


def _bounds(sentence: str, observed_at: datetime) -> list[Interval]:
    bounds = []
    for mention in mentions(sentence, observed_at):
        interval = mention.interval
        if interval.start is None or interval.end is None or _RANGE.match(mention.phrase):
            bounds.append(interval)
        elif _PAST_STRETCH.match(mention.phrase) and _HAS.search(sentence):
            bounds.append(Interval(interval.start, None))
    long = _FOR_SO_LONG.search(sentence)
    if long and _HAS.search(sentence):
        _, step = UNITS[long["unit"].lower()]
        bounds.append(Interval(observed_at - step * count_of(long["count"].lower())[1], None))
    return bounds
