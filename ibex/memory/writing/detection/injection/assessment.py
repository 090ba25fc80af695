"""All signs of a text, joined into one risk."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from ibex.memory.writing.detection.finding import Category, Finding, Severity
from ibex.memory.writing.detection.injection.encoded import find_encoded
from ibex.memory.writing.detection.injection.english import ENGLISH
from ibex.memory.writing.detection.injection.folding import fold
from ibex.memory.writing.detection.injection.hidden import find_hidden, find_spelled
from ibex.memory.writing.detection.injection.languages import LANGUAGES
from ibex.memory.writing.detection.injection.markup import comments, find_markup
from ibex.memory.writing.detection.injection.signal import Sign

_HIGH = 0.6
_MEDIUM = 0.4
# What is hidden from the reader is meant for somebody else.
_CONCEALED = 0.4
_SPELLED_WEIGHT = 0.8


@dataclass(frozen=True, slots=True)
class Assessment:
    """The risk of prompt injection, 0 to 1, and the reasons for it."""

    risk: float
    findings: tuple[Finding, ...]


def assess(text: str) -> Assessment:
    """How likely the text tries to instruct a model.

    Signs are taken as independent: the risk is one minus the product of what each rule leaves. A rule counts
    once, however often it matches.
    """
    signs = [*_signs(text), *_encoded_signs(text)]
    return Assessment(_risk(signs), tuple(_finding(each) for each in signs))


def _signs(text: str) -> Iterator[Sign]:
    yield from find_markup(text)
    yield from find_hidden(text)
    spoken = list(_spoken_signs(text))
    yield from spoken
    for start, end in comments(text):
        if any(start <= each.start and each.end <= end for each in spoken):
            yield Sign("instruction_in_comment", _CONCEALED, start, end)


def _spoken_signs(text: str) -> Iterator[Sign]:
    folded = fold(text)
    for group in (ENGLISH, LANGUAGES):
        for phrase in group:
            for match in phrase.find(folded.text):
                yield Sign(phrase.rule, phrase.weight, *folded.span(*match.span()))
    for span in find_spelled(folded.text):
        yield Sign("spelled_out", _SPELLED_WEIGHT, *folded.span(*span))


def _encoded_signs(text: str) -> Iterator[Sign]:
    for decoded, start, end in find_encoded(text):
        inner = [*find_markup(decoded), *_spoken_signs(decoded)]
        for each in inner:
            yield replace(each, rule=f"encoded_{each.rule}", start=start, end=end)
        if inner:
            yield Sign("encoded_instruction", _CONCEALED, start, end)


def _risk(signs: list[Sign]) -> float:
    worst: dict[str, float] = {}
    for sign in signs:
        worst[sign.rule] = max(sign.weight, worst.get(sign.rule, 0.0))
    return round(1 - math.prod((1 - weight for weight in worst.values()), start=1.0), 3)


def _finding(sign: Sign) -> Finding:
    severity = Severity.LOW
    if sign.weight >= _MEDIUM:
        severity = Severity.HIGH if sign.weight >= _HIGH else Severity.MEDIUM
    return Finding(Category.INJECTION, "injection", sign.rule, severity, sign.start, sign.end)
