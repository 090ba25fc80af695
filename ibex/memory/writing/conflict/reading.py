"""Reads what a statement claims."""

from dataclasses import dataclass

from ibex.memory.time.sentences import sentences, spoken
from ibex.memory.writing.conflict.claim import Claim
from ibex.memory.writing.conflict.habits import HABITS
from ibex.memory.writing.conflict.people import PEOPLE
from ibex.memory.writing.conflict.sentence import Sentence, read
from ibex.memory.writing.conflict.statement import Statement
from ibex.memory.writing.conflict.subject import speaker_of
from ibex.memory.writing.conflict.things import THINGS

# What is longer tells a story: its claims would be read into it. In sentences of a turn, characters of one.
_SENTENCES = 6
_LENGTH = 160


@dataclass(frozen=True, slots=True)
class Reading:
    """The claims of a statement.

    Parameters
    ----------
    complete: whether it says nothing else.
    asserted: whether they stand first, where nothing leads up to them, and nothing takes them back.
    """

    claims: tuple[Claim, ...]
    complete: bool
    asserted: bool


NOTHING = Reading((), complete=False, asserted=False)


def reading_of(statement: Statement) -> Reading:
    if len(statement.text) > _SENTENCES * _LENGTH:
        return NOTHING
    name, text = spoken(statement.text.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'"))
    speaker = speaker_of(statement.speaker or name)
    parts = sentences(text)
    if len(parts) > _SENTENCES:
        return NOTHING
    claims: list[Claim] = []
    complete = asserted = True
    for part in parts:
        sentence = read(part, statement.observed_at) if len(part) <= _LENGTH else None
        found = _claims(sentence, speaker) if sentence else []
        # "Hi there!" says nothing that could be lost, and "Any tips?" takes nothing back.
        greets = bool(sentence) and len(part.split()) <= 2 and part.endswith("!")
        asserted = asserted and (bool(found or greets or part.endswith("?")) or bool(sentence and claims))
        complete = complete and (bool(found) or greets)
        claims.extend(found)
    return Reading(tuple(claims), complete and bool(claims), asserted)


def _claims(sentence: Sentence, speaker: str) -> list[Claim]:
    for shape in (*PEOPLE, *THINGS, *HABITS):
        if found := shape.claims(sentence, speaker):
            return found
    return []
