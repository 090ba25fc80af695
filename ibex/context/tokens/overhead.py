"""Tokens that a prompt has besides its texts."""

from collections.abc import Mapping

from ibex.errors import Dialect

# OpenAI's cookbook, "How to count tokens with tiktoken": three around each message and one for its role, and
# three that begin the answer. Anthropic publishes none; these are about as many.
_MESSAGE: Mapping[Dialect, int] = {"openai": 4, "anthropic": 5}
_ANSWER = 3
# An image of a megapixel or a page of a document; which of them it is, only the provider can tell.
_ATTACHMENT = 1_000


def overhead(dialect: Dialect, messages: int, attachments: int = 0) -> int:
    """An estimate of what a provider adds around so many messages, and counts for what is no text."""
    return _MESSAGE[dialect] * messages + _ANSWER + _ATTACHMENT * attachments
