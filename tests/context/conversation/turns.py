"""Conversations of many turns, as clients send them: the whole of what was said, again each time."""

from collections.abc import Iterator
from typing import Any


def openai_turns(count: int, system: str | None = None) -> Iterator[dict[str, Any]]:
    """The body of each turn's request."""
    messages: list[dict[str, Any]] = [] if system is None else [{"role": "system", "content": system}]
    for number in range(count):
        messages.append({"role": "user", "content": f"Question {number}, which is like no other: {number}?"})
        yield {"model": "gpt-4o", "messages": list(messages), "temperature": 0.5}
        messages.append({"role": "assistant", "content": f"Answer {number}."})


def anthropic_turns(count: int, system: str | list[Any] | None = None) -> Iterator[dict[str, Any]]:
    for body in openai_turns(count):
        yield {**body, "max_tokens": 100, **({} if system is None else {"system": system})}
