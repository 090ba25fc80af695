"""A window is shared out so that an answer is possible and the client's messages are never cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibex.context.budget import budget, refuse_beyond_window, room
from ibex.context.models import ModelLimits
from ibex.errors import ErrorCode, IbexError, envelope

KNOWN = ModelLimits(10_000, 4_000, "o200k", is_known=True)
UNKNOWN = ModelLimits(10_000, None, "other", is_known=False)


def limits(window: int, longest_answer: int | None = None) -> ModelLimits:
    return ModelLimits(window, longest_answer, "o200k", is_known=True)


@pytest.mark.parametrize(
    ("window", "reserve"), [(1_000, 500), (3_334, 500), (10_000, 1_500), (128_000, 4_096), (1_000_000, 4_096)]
)
def test_an_answer_has_a_share_of_the_window_within_bounds(window: int, reserve: int) -> None:
    shared = budget(limits(window), asked_answer=None, directive=0, conversation=0, most_memories=0)

    assert (shared.window, shared.reserve, shared.margin) == (window, reserve, window // 10)
    assert room(limits(window), None) == window - reserve - window // 10


def test_a_longer_answer_that_is_asked_for_has_its_room() -> None:
    assert room(limits(100_000), 30_000) == 60_000
    assert room(limits(100_000), 100) == room(limits(100_000), None)


def test_no_more_is_kept_than_the_model_can_answer() -> None:
    assert room(limits(100_000, longest_answer=8_000), 10**12) == 82_000


def test_memories_get_what_is_left_up_to_their_ceiling() -> None:
    def memories(conversation: int) -> int:
        return budget(
            KNOWN, asked_answer=None, directive=100, conversation=conversation, most_memories=1_000
        ).memories

    assert memories(500) == 1_000
    assert memories(7_000) == 400
    assert memories(7_400) == 0
    assert memories(50_000) == 0


@given(
    st.integers(1, 10**6),
    st.none() | st.integers(0, 10**6),
    st.integers(0, 10**6),
    st.integers(0, 10**6),
    st.integers(0, 10**5),
)
def test_memories_never_take_room_that_is_not_theirs(
    window: int, asked: int | None, directive: int, conversation: int, most: int
) -> None:
    shared = budget(
        limits(window), asked_answer=asked, directive=directive, conversation=conversation, most_memories=most
    )

    assert 0 <= shared.memories <= most
    if shared.memories:
        parts = shared.reserve + shared.margin + directive + conversation + shared.memories
        assert parts <= window


def test_a_conversation_that_no_window_can_take_is_refused_with_both_numbers() -> None:
    with pytest.raises(IbexError) as caught:
        refuse_beyond_window("gpt-4o", KNOWN, 10_001)

    error = caught.value
    assert error.code is ErrorCode.CONTEXT_LENGTH_EXCEEDED
    assert error.status == 400
    assert "10001 tokens" in error.message
    assert "maximum context length of gpt-4o is 10000 tokens" in error.message
    shown = envelope(error, "openai", request_id="r", docs_base_url="http://h")["error"]
    assert (shown["code"], shown["type"]) == ("context_length_exceeded", "invalid_request_error")
    assert shown["docs_url"] == "http://h/errors/CONTEXT_LENGTH_EXCEEDED"


def test_a_conversation_that_may_fit_is_left_to_the_provider() -> None:
    refuse_beyond_window("gpt-4o", KNOWN, 9_999)
    refuse_beyond_window("unheard-of", UNKNOWN, 10**9)
