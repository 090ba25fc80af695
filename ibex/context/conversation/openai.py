"""The conversation of a chat completion in OpenAI's dialect."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from ibex.context.conversation.content import as_json, kind_of, parts_of, text_of, texts_of
from ibex.context.conversation.conversation import Extent, Injection

_SYSTEM = ("system", "developer")
_TEXT_PARTS = ("text", "refusal")


class OpenAIConversation:
    """Messages are only ever inserted; those of the client stay the objects that they are.

    Parameters
    ----------
    fields: the parsed body of `POST /v1/chat/completions`.
    """

    def __init__(self, fields: Mapping[str, Any]) -> None:
        self._fields = fields
        messages = fields.get("messages")
        self._messages: list[Any] = messages if isinstance(messages, list) else []
        roles = [_role(message) for message in self._messages]
        self._leading = next((at for at, role in enumerate(roles) if role not in _SYSTEM), len(roles))
        users = [at for at, role in enumerate(roles) if role == "user"]
        self._first_user = users[0] if users else None
        self._last_user = users[-1] if users else None

    @property
    def question(self) -> str:
        return "" if self._last_user is None else text_of(self._content(self._last_user))

    @property
    def opening(self) -> str:
        opening = [text_of(self._content(at)) for at in range(self._leading)]
        if self._first_user is not None:
            opening.append(text_of(self._content(self._first_user)))
        return "\n".join(opening)

    @property
    def is_continued(self) -> bool:
        return self._last_user is not None and self._last_user < len(self._messages) - 1

    @cached_property
    def texts(self) -> Sequence[str]:
        return [
            text
            for message in self._messages
            if _role(message) in ("user", "assistant")
            for text in texts_of(message.get("content"))
        ]

    @cached_property
    def extent(self) -> Extent:
        messages = [message for message in self._messages if isinstance(message, dict)]
        kinds = [kind_of(part) for message in messages for part in parts_of(message.get("content"))]
        others = [message["tool_calls"] for message in messages if message.get("tool_calls")]
        others += [self._fields[name] for name in ("tools", "functions") if self._fields.get(name)]
        return Extent(
            texts=[text for message in messages for text in texts_of(message.get("content"))],
            others=[as_json(other) for other in others],
            messages=len(self._messages),
            attachments=sum(kind not in _TEXT_PARTS for kind in kinds),
        )

    def with_context(
        self, directive: Injection | None, memories: str | None, notice: str | None
    ) -> Mapping[str, Any]:
        before: dict[int, list[dict[str, Any]]] = {}
        for at, role, text in self._front(directive, notice):
            before.setdefault(at, []).append({"role": role, "content": text})
        if memories is not None and self._last_user is not None:
            before.setdefault(self._last_user, []).append({"role": "user", "content": memories})
        if not before:
            return self._fields
        messages: list[Any] = []
        for at in range(len(self._messages) + 1):
            messages += before.get(at, ())
            messages += self._messages[at : at + 1]
        return {**self._fields, "messages": messages}

    def _front(self, directive: Injection | None, notice: str | None) -> list[tuple[int, str, str]]:
        """Where, as whom, what. The notice differs from conversation to conversation, so it comes last.

        What comes before it, such as a client's long instructions, then stays cached over all of them.
        """
        system = self._system_role()
        if directive is None:
            return [(self._leading, system, notice)] if notice is not None else []
        at, role = self._place(directive, system)
        if notice is None:
            return [(at, role, directive.content)]
        if directive.mode == "system_first" and self._leading:
            return [(at, role, directive.content), (self._leading, system, notice)]
        return [(at, role, f"{directive.content}\n\n{notice}")]

    def _place(self, directive: Injection, system: str) -> tuple[int, str]:
        if directive.mode == "system_first":
            return 0, system
        if directive.mode == "user_prepend":
            return self._leading if self._first_user is None else self._first_user, "user"
        return self._leading, system

    def _system_role(self) -> str:
        """As the client says it, since some models take one of the two only."""
        return _role(self._messages[0]) if self._leading else "system"

    def _content(self, at: int) -> object:
        return self._messages[at].get("content")


def _role(message: object) -> str:
    role = message.get("role") if isinstance(message, dict) else None
    return role if isinstance(role, str) else ""
