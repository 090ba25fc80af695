"""The conversation of a request in Anthropic's dialect."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from ibex.context.conversation.cache_marks import with_cache_marks
from ibex.context.conversation.content import as_json, kind_of, parts_of, text_of, texts_of
from ibex.context.conversation.conversation import Extent, Injection

_ATTACHMENTS = ("image", "document")


class AnthropicConversation:
    """Roles alternate here, so what is put in for a user is a block of text in the user's own message.

    Parameters
    ----------
    fields: the parsed body of `POST /v1/messages`.
    """

    def __init__(self, fields: Mapping[str, Any]) -> None:
        self._fields = fields
        messages = fields.get("messages")
        self._messages: list[Any] = messages if isinstance(messages, list) else []
        users = [at for at, message in enumerate(self._messages) if _is_said_by_user(message)]
        self._first_user = users[0] if users else None
        self._last_user = users[-1] if users else None

    @property
    def question(self) -> str:
        return "" if self._last_user is None else text_of(self._messages[self._last_user].get("content"))

    @property
    def opening(self) -> str:
        opening = [text_of(self._fields.get("system"))]
        if self._first_user is not None:
            opening.append(text_of(self._messages[self._first_user].get("content")))
        return "\n".join(opening)

    @property
    def is_continued(self) -> bool:
        return self._last_user is not None and self._last_user < len(self._messages) - 1

    @cached_property
    def texts(self) -> Sequence[str]:
        return [text for message in self._said() for text in texts_of(message.get("content"))]

    @cached_property
    def extent(self) -> Extent:
        blocks = [block for message in self._said() for block in parts_of(message.get("content"))]
        results = [block.get("content") for block in blocks if kind_of(block) == "tool_result"]
        inner = [block for result in results for block in parts_of(result)]
        others = [as_json(block.get("input")) for block in blocks if kind_of(block) == "tool_use"]
        if self._fields.get("tools"):
            others.append(as_json(self._fields["tools"]))
        return Extent(
            texts=[
                *texts_of(self._fields.get("system")),
                *self.texts,
                *(text for result in results for text in texts_of(result)),
            ],
            others=others,
            messages=len(self._messages),
            attachments=sum(kind_of(block) in _ATTACHMENTS for block in (*blocks, *inner)),
        )

    def with_context(
        self, directive: Injection | None, memories: str | None, notice: str | None
    ) -> Mapping[str, Any]:
        system = self._system(directive, notice)
        messages = list(self._messages)
        if directive is not None and directive.mode == "user_prepend" and self._first_user is not None:
            front = directive.content if notice is None else f"{directive.content}\n\n{notice}"
            messages[self._first_user] = _beginning_with(messages[self._first_user], 0, front)
        if memories is not None and self._last_user is not None:
            message = messages[self._last_user]
            # Behind the directive, which may have been put there just now.
            at = int(message is not self._messages[self._last_user])
            messages[self._last_user] = _beginning_with(message, at, memories)
        if system is None and not _differ(messages, self._messages):
            return self._fields
        fields = {**self._fields, "messages": messages}
        if system is not None:
            fields["system"] = system
        return with_cache_marks(fields, self._last_user, notice)

    def _system(self, directive: Injection | None, notice: str | None) -> list[Any] | None:
        """The blocks of the system prompt; None when nothing is put into it.

        The notice differs from conversation to conversation, so it comes last: what comes before it stays
        cached over all of them.
        """
        own = _as_blocks(self._fields.get("system"))
        if directive is None:
            return None if notice is None else [*own, _text(notice)]
        if directive.mode == "user_prepend" and self._first_user is not None:
            return None
        said = [directive.content] if notice is None else [directive.content, notice]
        if directive.mode == "system_first":
            return [_text(said[0]), *own, *map(_text, said[1:])]
        return [*own, *map(_text, said)]

    def _said(self) -> list[Mapping[str, Any]]:
        return [message for message in self._messages if isinstance(message, dict)]


def _is_said_by_user(message: object) -> bool:
    """Whether there is more in it than the results of tools, which are a user's message by name only."""
    if not isinstance(message, dict) or message.get("role") != "user":
        return False
    content = message.get("content")
    if isinstance(content, str):
        return True
    return any(kind_of(block) != "tool_result" for block in parts_of(content))


def _beginning_with(message: Mapping[str, Any], at: int, text: str) -> dict[str, Any]:
    """The message with a block of text: the results of tools must stand first, then `at` blocks stay so."""
    blocks = _as_blocks(message.get("content"))
    results = [at for at, block in enumerate(blocks) if kind_of(block) == "tool_result"]
    start = max(at, results[-1] + 1 if results else 0)
    return {**message, "content": [*blocks[:start], _text(text), *blocks[start:]]}


def _as_blocks(content: object) -> list[Any]:
    if isinstance(content, str):
        return [_text(content)] if content else []
    return list(parts_of(content))


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def _differ(messages: Sequence[Any], others: Sequence[Any]) -> bool:
    return any(message is not other for message, other in zip(messages, others, strict=True))
