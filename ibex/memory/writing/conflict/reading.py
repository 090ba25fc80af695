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
    """The claims of a statement, and whether it says nothing else."""

    claims: tuple[Claim, ...]
    complete: bool


def reading_of(statement: Statement) -> Reading:
    if len(statement.text) > _SENTENCES * _LENGTH:
        return Reading((), complete=False)
    name, text = spoken(statement.text.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'"))
    speaker = speaker_of(statement.speaker or name)
    parts = sentences(text)
    if len(parts) > _SENTENCES:
        return Reading((), complete=False)
    claims: list[Claim] = []
    complete = True
    for part in parts:
        sentence = read(part, statement.observed_at) if len(part) <= _LENGTH else None
        found = _claims(sentence, speaker) if sentence else []
        claims.extend(found)
        # "Hi there!" says nothing that could be lost.
        complete = complete and (bool(found) or (len(part.split()) <= 2 and part.endswith("!")))
    return Reading(tuple(claims), complete and bool(claims))


def _claims(sentence: Sentence, speaker: str) -> list[Claim]:
    for shape in (*PEOPLE, *THINGS, *HABITS):
        if found := shape.claims(sentence, speaker):
            return found
    return []
