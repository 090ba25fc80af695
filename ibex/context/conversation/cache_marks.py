"""Where Anthropic's prompt cache is told to keep what it has read.

A mark caches everything up to the block that carries it: tools, then the system prompt, then messages. A
request may carry four (https://docs.claude.com/en/docs/build-with-claude/prompt-caching).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ibex.context.conversation.content import kind_of, parts_of

_MOST = 4
_MARK = {"type": "ephemeral"}
# Blocks of thinking cannot be marked, nor can empty texts.
_MARKABLE = ("text", "image", "document", "tool_use", "tool_result")


def with_cache_marks(fields: dict[str, Any], last_user: int | None, notice: str | None) -> dict[str, Any]:
    """The fields with marks where the next requests begin as this one does, as far as four allow.

    The client's own marks stay. What lives longer must be marked before what lives shorter, so nothing is
    marked before a mark of an hour. By worth: before the newest turn, where the conversation's next request
    finds its beginning; at the end of a tool loop, whose next step goes on from there; and on the stable
    front without the notice, which other conversations begin with as well.

    Parameters
    ----------
    last_user: position of the message that begins the newest turn.
    """
    messages = list(fields["messages"])
    system = list(parts_of(fields.get("system")))
    # An hour is the only other lifetime there is.
    marks = [(-1, mark) for mark in _marks(fields.get("tools"))]
    marks += [(0, mark) for mark in _marks(system)]
    marks += [(at, mark) for at, message in enumerate(messages, 1) for mark in _marks(_content(message))]
    free = _MOST - len(marks) - int("cache_control" in fields)
    last_hour = max((at for at, mark in marks if _lasts_an_hour(mark)), default=-1)

    for at in _worth_marking(messages, last_user):
        if free > 0 and at + 1 > last_hour and (marked := _marked(_blocks(_content(messages[at])))):
            messages[at] = {**messages[at], "content": marked}
            free -= 1
    has_notice = bool(system) and system[-1] == {"type": "text", "text": notice}
    front = system[:-1] if has_notice and len(system) > 1 else system
    if free > 0 and last_hour < 0 and (marked := _marked(front)):
        system = [*marked, *system[len(front) :]]
    return {**fields, "messages": messages, **({"system": system} if system else {})}


def _worth_marking(messages: Sequence[Any], last_user: int | None) -> Iterator[int]:
    if last_user is None:
        return
    if last_user > 0:
        yield last_user - 1
    if last_user < len(messages) - 1:
        yield len(messages) - 1


def _marked(blocks: Sequence[Any]) -> list[Any]:
    """The blocks with a mark on the last that can carry one; empty when none can or it has one already."""
    for at in reversed(range(len(blocks))):
        block = blocks[at]
        if kind_of(block) not in _MARKABLE or block.get("text") == "":
            continue
        if "cache_control" in block:
            return []
        return [*blocks[:at], {**block, "cache_control": _MARK}, *blocks[at + 1 :]]
    return []


def _marks(blocks: object) -> Iterator[object]:
    for block in parts_of(blocks):
        if isinstance(block, Mapping):
            if block.get("cache_control") is not None:
                yield block["cache_control"]
            yield from _marks(block.get("content"))


def _lasts_an_hour(mark: object) -> bool:
    return isinstance(mark, Mapping) and mark.get("ttl") == "1h"


def _content(message: object) -> object:
    return message.get("content") if isinstance(message, Mapping) else None


def _blocks(content: object) -> Sequence[Any]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else parts_of(content)
