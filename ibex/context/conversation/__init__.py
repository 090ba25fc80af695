"""Conversations in the dialects of their clients: read, and given the directive and the memories."""

from collections.abc import Mapping
from typing import Any

from ibex.context.conversation.anthropic import AnthropicConversation
from ibex.context.conversation.conversation import Conversation, Extent, Injection
from ibex.context.conversation.openai import OpenAIConversation
from ibex.errors import Dialect

__all__ = [
    "AnthropicConversation",
    "Conversation",
    "Extent",
    "Injection",
    "OpenAIConversation",
    "conversation_of",
]


def conversation_of(dialect: Dialect, fields: Mapping[str, Any]) -> Conversation:
    """The conversation in a parsed body of some dialect."""
    return AnthropicConversation(fields) if dialect == "anthropic" else OpenAIConversation(fields)
