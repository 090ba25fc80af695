"""One turn as it is kept: a line of JSON."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

# Texts are cut to half their length, again and again, until the line is short enough; not shorter than this.
_SHORTEST = 16


@dataclass(frozen=True, slots=True)
class SpokenTurn:
    """What a client has said and what it was answered, without anything that IBEX has added.

    Parameters
    ----------
    messages: the new ones of this turn, as the client sent them.
    read_answer: the message of the answer; None when there is no whole copy of it. It is called once, later.
    size: bytes of what was sent and answered, about.
    """

    org_id: UUID
    agent_id: UUID
    session_id: str
    turn_id: UUID
    at: datetime
    user_id: str | None
    dialect: str
    model: str
    outcome: str
    messages: Sequence[Any] = field(repr=False)
    read_answer: Callable[[], Any] = field(repr=False)
    size: int


def line_of(turn: SpokenTurn, limit: int) -> bytes:
    """A turn as JSON of at most about `limit` bytes; of one that is longer, long texts are cut."""
    answer = turn.read_answer()
    told = {
        "turn_id": turn.turn_id,
        "at": turn.at,
        "session_id": turn.session_id,
        "user_id": turn.user_id,
        "dialect": turn.dialect,
        "model": turn.model,
        "outcome": turn.outcome,
        "is_cut": answer is None,
        "messages": turn.messages,
        "answer": answer,
    }
    line = orjson.dumps(told)
    longest = limit
    while len(line) > limit:
        longest //= 2
        is_cut_enough = longest < _SHORTEST
        messages = [] if is_cut_enough else _cut(turn.messages, longest)
        shorter = None if is_cut_enough else _cut(answer, longest)
        line = orjson.dumps({**told, "is_cut": True, "messages": messages, "answer": shorter})
        if is_cut_enough:
            break
    return line


def _cut(value: Any, longest: int) -> Any:
    """The same with every text cut to so many characters."""
    if isinstance(value, str):
        return value[:longest]
    if isinstance(value, dict):
        return {name: _cut(each, longest) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_cut(each, longest) for each in value]
    return value
