"""How many tokens of a model's window may go to memories.

The window, less what the answer needs and a margin for what cannot be counted, is the room. The directive and
the client's own messages come first and are never cut; memories get what is left, up to a ceiling.
"""

from dataclasses import dataclass

from ibex.context.models.catalogue import ModelLimits
from ibex.errors import ErrorCode, IbexError

_RESERVED_SHARE = 0.15
_LEAST_RESERVED, _MOST_RESERVED = 500, 4_096
_MARGIN_SHARE = 0.10


@dataclass(frozen=True, slots=True)
class Budget:
    """How a window is shared out, in tokens."""

    window: int
    reserve: int
    margin: int
    directive: int
    conversation: int
    memories: int


def room(limits: ModelLimits, asked_answer: int | None) -> int:
    """What a prompt may have, so that an answer is possible.

    Parameters
    ----------
    asked_answer: the longest answer that the request allows; a longer reserve than usual when it is larger.
    """
    return limits.context_window - _reserve(limits, asked_answer) - _margin(limits)


def budget(
    limits: ModelLimits, *, asked_answer: int | None, directive: int, conversation: int, most_memories: int
) -> Budget:
    """Share out a window.

    Parameters
    ----------
    directive: with the notice and the marks around memories.
    conversation: the client's messages with their overhead, or a bound that they do not exceed.
    most_memories: the ceiling of what memories may have.
    """
    left = room(limits, asked_answer) - directive - conversation
    return Budget(
        window=limits.context_window,
        reserve=_reserve(limits, asked_answer),
        margin=_margin(limits),
        directive=directive,
        conversation=conversation,
        memories=max(0, min(left, most_memories)),
    )


def refuse_beyond_window(model: str, limits: ModelLimits, tokens: int) -> None:
    """Raise CONTEXT_LENGTH_EXCEEDED for a conversation that no provider can take.

    Parameters
    ----------
    tokens: the least that the messages have for certain: their texts, counted exactly.
    """
    if not limits.is_known or tokens < limits.context_window:
        return
    raise IbexError(
        ErrorCode.CONTEXT_LENGTH_EXCEEDED,
        f"The messages have {tokens} tokens at least; the maximum context length of {model} is "
        f"{limits.context_window} tokens, the answer included.",
        param="messages",
        # What clients of OpenAI look for, to shorten a conversation and try again.
        upstream={"code": "context_length_exceeded"},
    )


def _reserve(limits: ModelLimits, asked_answer: int | None) -> int:
    usual = min(max(int(limits.context_window * _RESERVED_SHARE), _LEAST_RESERVED), _MOST_RESERVED)
    longest = limits.longest_answer or limits.context_window
    return max(usual, min(asked_answer or 0, longest))


def _margin(limits: ModelLimits) -> int:
    return int(limits.context_window * _MARGIN_SHARE)
