"""Writes the receipt of an assembly."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from time import perf_counter
from typing import Any

from ibex.context.assembled import Assembled
from ibex.context.choosing import Chosen
from ibex.context.conversation import Conversation
from ibex.context.front import Front
from ibex.context.receipts import DirectiveGiven, Receipt, Rung, TokenSplit
from ibex.context.retrieval import Retrieved
from ibex.context.room import Room
from ibex.context.turn import ChatTurn

_NO_TOKENS = TokenSplit(0, 0, 0, 0, 0, 0, is_exact=False, available=0, memories=0)


class Stopwatch:
    """Milliseconds by part. Parts may overlap; `all` is from the beginning."""

    def __init__(self) -> None:
        self._started = perf_counter()
        self._parts: dict[str, float] = {}

    @contextmanager
    def timing(self, part: str) -> Iterator[None]:
        begun = perf_counter()
        try:
            yield
        finally:
            self._parts[part] = round((perf_counter() - begun) * 1e3, 3)

    def read(self) -> dict[str, float]:
        return {**self._parts, "all": round((perf_counter() - self._started) * 1e3, 3)}


def issued(
    turn: ChatTurn,
    conversation: Conversation,
    fields: Mapping[str, Any],
    front: Front,
    room: Room,
    retrieved: Retrieved,
    told: Chosen,
    watch: Stopwatch,
) -> Assembled:
    """The fields to send, with the receipt of what is in them."""
    budget = room.budget
    tokens = TokenSplit(
        window=budget.window,
        reserve=budget.reserve,
        margin=budget.margin,
        directive=front.directive_tokens,
        notice=front.notice_tokens,
        messages=room.messages,
        is_exact=room.is_exact,
        available=budget.memories,
        memories=told.tokens,
    )
    receipt = _receipt(turn, retrieved.rung, watch, tokens, retrieved.degraded, front.given, told)
    directive = None if front.directive is None else front.directive.content
    return Assembled(fields, _newly_asked(conversation), told.told, directive, receipt)


def as_it_came(turn: ChatTurn, conversation: Conversation, watch: Stopwatch) -> Assembled:
    """The request without any context, and a receipt that says so."""
    receipt = _receipt(turn, Rung.NONE, watch, _NO_TOKENS, None, None, Chosen())
    return Assembled(turn.fields, _newly_asked(conversation), (), None, receipt)


def _receipt(
    turn: ChatTurn,
    rung: Rung,
    watch: Stopwatch,
    tokens: TokenSplit,
    degraded: str | None,
    directive: DirectiveGiven | None,
    told: Chosen,
) -> Receipt:
    principal = turn.principal
    return Receipt(
        id=turn.request_id,
        trace_id=turn.trace_id,
        org_id=principal.org_id,
        agent_id=principal.agent_id,
        user_id=turn.user_id,
        session_id=turn.session_id,
        at=datetime.now(UTC),
        model=turn.models[0],
        rung=rung,
        degraded=degraded,
        directive=directive,
        considered=told.considered,
        tokens=tokens,
        timings=watch.read(),
    )


def _newly_asked(conversation: Conversation) -> str:
    return "" if conversation.is_continued else conversation.question
