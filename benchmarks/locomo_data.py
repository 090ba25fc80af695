"""Reads LoCoMo: conversations of many sessions, and questions whose evidence is known turn by turn."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

CATEGORIES = {1: "multi-hop", 2: "temporal", 3: "open-domain", 4: "single-hop", 5: "adversarial"}

_SESSION = re.compile(r"session_(\d+)")
# Some are written as "D8:6; D9:17" or "D1:03".
_EVIDENCE = re.compile(r"D(\d+):(\d+)")


@dataclass(frozen=True, slots=True)
class Turn:
    """One thing that was said; `id` is what evidence refers to."""

    id: str
    session: str
    speaker: str
    text: str
    at: datetime


@dataclass(frozen=True, slots=True)
class LabelledQuestion:
    """A question, and the ids of the turns that hold its answer."""

    text: str
    category: int
    evidence: frozenset[str]


@dataclass(frozen=True, slots=True)
class Dialogue:
    """Everything two people said to each other, in its order, and what is asked about it."""

    name: str
    turns: Sequence[Turn]
    questions: Sequence[LabelledQuestion]


def read(path: Path, *, captions: bool) -> list[Dialogue]:
    """All conversations of a file. Questions without evidence are left out, as is evidence that is not there.

    Parameters
    ----------
    captions: let a turn that shares a picture say what the picture shows, as the dataset describes it.
    """
    return [_dialogue(number, sample, captions) for number, sample in enumerate(json.loads(path.read_text()))]


def _dialogue(number: int, sample: Mapping[str, Any], captions: bool) -> Dialogue:
    turns = list(_turns(sample["conversation"], captions))
    known = {turn.id for turn in turns}
    questions = []
    for asked in sample["qa"]:
        written = " ".join(asked.get("evidence", ()))
        evidence = {f"D{int(session)}:{int(turn)}" for session, turn in _EVIDENCE.findall(written)} & known
        if evidence:
            questions.append(LabelledQuestion(asked["question"], asked["category"], frozenset(evidence)))
    return Dialogue(str(sample.get("sample_id", number)), turns, questions)


def _turns(conversation: Mapping[str, Any], captions: bool) -> Iterator[Turn]:
    numbers = sorted(int(match[1]) for key in conversation if (match := _SESSION.fullmatch(key)))
    for number in numbers:
        # It has no zone; all are given the same.
        written = f"{conversation[f'session_{number}_date_time']} +0000"
        began = datetime.strptime(written, "%I:%M %p on %d %B, %Y %z")
        for place, turn in enumerate(conversation[f"session_{number}"]):
            text = turn["text"]
            if captions and turn.get("blip_caption"):
                text += f" [shares {turn['blip_caption']}]"
            # Only the session has a time; its turns follow each other.
            at = began + timedelta(seconds=place)
            yield Turn(turn["dia_id"], f"session_{number}", turn["speaker"], text, at)
