"""Whatever stands in a request's messages: it is read, given its context, and left as it was."""

import copy
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ibex.context.conversation import Injection, conversation_of
from ibex.errors import Dialect

_MODES = st.sampled_from(["system_first", "system_append", "user_prepend"])
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(st.characters(codec="utf-8"), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "text", "content", "role", "source", "tool_use_id", "cache_control"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)
_MESSAGES = st.lists(
    st.builds(
        lambda role, fields: {**fields, "role": role},
        st.sampled_from(["system", "developer", "user", "assistant", "tool", "x"]),
        st.dictionaries(st.sampled_from(["content", "tool_calls", "name", "refusal"]), _JSON, max_size=3),
    ),
    min_size=1,
    max_size=5,
)


@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(messages=_MESSAGES, system=_JSON, mode=_MODES)
def test_no_message_is_too_strange_to_be_given_a_context(
    dialect: Dialect, messages: list[dict[str, Any]], system: Any, mode: Any
) -> None:
    fields = {"model": "m", "messages": messages, "system": system}
    before = copy.deepcopy(fields)
    conversation = conversation_of(dialect, fields)
    assert isinstance(conversation.question, str)
    assert isinstance(conversation.opening, str)
    extent = conversation.extent
    assert extent.messages == len(messages)
    assert all(isinstance(text, str) for text in (*conversation.texts, *extent.texts, *extent.others))
    given_context = conversation.with_context(Injection("Be brief.", mode), "memories", "notice")
    assert "Be brief." in str(given_context)
    assert conversation.with_context(None, None, None) == before
    assert fields == before
