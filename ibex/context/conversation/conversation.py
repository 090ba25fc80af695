"""What IBEX reads of a conversation, and what it puts in, whichever dialect it is written in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from ibex.context.directives import InjectionMode


@dataclass(frozen=True, slots=True)
class Injection:
    """A directive's text, and where it goes.

    `system_first` is before everything else, `system_append` behind the system messages that the conversation
    begins with, `user_prepend` before the first user message.
    """

    content: str = field(repr=False)
    mode: InjectionMode = "system_first"


@dataclass(frozen=True, slots=True)
class Extent:
    """What a provider reads of a request, as far as it can be counted here.

    Parameters
    ----------
    texts: every text in the messages; their tokens are the least that the conversation has.
    others: definitions of tools and calls of them as JSON, which providers put into a form of their own.
    messages: how many there are; each has an overhead.
    attachments: images, sounds and files, whose tokens only the provider knows.
    """

    texts: Sequence[str] = field(repr=False)
    others: Sequence[str] = field(repr=False)
    messages: int
    attachments: int


class Conversation(Protocol):
    """A request's conversation. It is made from the parsed body and never changes it."""

    @property
    def question(self) -> str:
        """The text of the last user message; empty when it has none."""

    @property
    def opening(self) -> str:
        """What stays the same over the turns: the leading system messages and the first user message."""

    @property
    def is_continued(self) -> bool:
        """Whether something follows the last user message: an agent goes on with the turn, as with what a
        tool has answered."""

    @property
    def texts(self) -> Sequence[str]:
        """All that users and assistants say."""

    @property
    def extent(self) -> Extent: ...

    def with_context(
        self, directive: Injection | None, memories: str | None, notice: str | None
    ) -> Mapping[str, Any]:
        """The body's fields with these put in; messages that are not touched are the same objects.

        The directive and the notice make a front that does not change from turn to turn; the memories stand
        immediately before the last user message, so that everything before it is what the provider has
        cached. Without a user message no memories are placed.
        """
