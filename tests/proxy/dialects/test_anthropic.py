"""What answers in Anthropic's dialect are read to have cost, and whether they ended well."""

from hashlib import sha256
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ibex.proxy.capture import LARGEST_STREAM_KEPT, Capture
from ibex.proxy.dialects import ANTHROPIC, Summary, Usage
from tests.providers import messages

REPORTED = Usage("provider", messages.READ, messages.CACHED, messages.WRITTEN)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    *("usage", "message", "delta", "type", "text", "content", "content_block", "index"),
                    *("input_tokens", "cache_read_input_tokens", "output_tokens", "stop_reason", "model"),
                ]
            ),
            inner
            | st.sampled_from(
                ["message_start", "message_delta", "content_block_start", "text_delta", "text"]
            ),
            max_size=4,
        )
    ),
    max_leaves=12,
)
LINES = st.lists(
    st.binary(max_size=40) | JSON.map(lambda value: b"data: " + orjson.dumps(value)), max_size=12
).map(b"\n".join)


def stream(*chunks: bytes) -> Capture:
    captured = Capture(ANTHROPIC)
    for chunk in chunks:
        captured.feed(chunk)
    return captured


def whole(answer: dict[str, Any]) -> Capture:
    captured = Capture(ANTHROPIC)
    captured.feed_object(orjson.dumps(answer), answer)
    return captured


def ending(usage: object, **started: object) -> list[bytes]:
    """A stream whose start and end report these counts."""
    return [
        messages.event("message_start", message={"model": "m", "usage": started}),
        messages.event("message_delta", delta={"stop_reason": "end_turn"}, usage=usage),
        messages.event("message_stop"),
    ]


@settings(deadline=None)
@given(st.lists(st.binary(max_size=60) | LINES, max_size=5))
def test_any_bytes_have_a_summary_and_a_text(chunks: list[bytes]) -> None:
    captured = stream(*chunks)
    summary = captured.summary()
    everything = b"".join(chunks)
    assert captured.body() == everything
    assert captured.hexdigest() == sha256(everything).hexdigest()
    for count in (summary.usage.input, summary.usage.cached, summary.usage.output):
        assert count is None or 0 <= count < 2**31
    assert captured.has_ended_well() is captured.is_done()
    assert isinstance(captured.text(), str)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(["usage", "model", "content", "stop_reason"]), JSON))
def test_any_json_has_a_summary_and_a_text(answer: dict[str, Any]) -> None:
    captured = whole(answer)
    captured.summary()
    assert isinstance(captured.text(), str)


def test_a_message_is_read() -> None:
    assert whole(messages.message("m")).summary() == Summary(REPORTED, "m", "end_turn")


@pytest.mark.parametrize("events", [messages.stream_events("m"), messages.tool_events("m")])
def test_a_stream_is_read_however_it_is_cut(events: list[bytes]) -> None:
    reason = "tool_use" if len(events) == len(messages.tool_events("m")) else "end_turn"
    everything = b"".join(events)
    for size in (1, 7, 1_000, len(everything)):
        captured = stream(*(everything[at : at + size] for at in range(0, len(everything), size)))
        assert captured.summary() == Summary(REPORTED, "m", reason)
        assert captured.has_ended_well()


def test_a_long_stream_is_read_from_both_ends() -> None:
    start, *middle, reason, stop = messages.stream_events("m")
    delta = messages.event(
        "content_block_delta", index=0, delta={"type": "text_delta", "text": "la " * 3_000}
    )
    captured = stream(start, *middle, *[delta] * (LARGEST_STREAM_KEPT // len(delta) + 50), reason, stop)
    assert captured.summary() == Summary(REPORTED, "m", "end_turn")
    assert captured.has_ended_well()


@pytest.mark.parametrize(
    ("end", "usage"),
    [
        ({"output_tokens": 9}, Usage("provider", 30, 20, 9)),
        (
            {"output_tokens": 9, "input_tokens": 500, "cache_read_input_tokens": 0},
            Usage("provider", 507, 0, 9),
        ),
        ({"output_tokens": 9, "input_tokens": None}, Usage("provider", 30, 20, 9)),
        # The start counts the first token of the answer.
        ({}, Usage("provider", 30, 20, 1)),
    ],
)
def test_what_the_end_reports_replaces_what_the_start_did(end: dict[str, Any], usage: Usage) -> None:
    started = {
        "input_tokens": 3,
        "cache_read_input_tokens": 20,
        "cache_creation_input_tokens": 7,
        "output_tokens": 1,
    }
    assert stream(*ending(end, **started)).summary().usage == usage


@pytest.mark.parametrize(
    ("usage", "read"),
    [
        ({"input_tokens": 5, "output_tokens": 1}, Usage("provider", 5, None, 1)),
        ({"input_tokens": 5, "cache_read_input_tokens": None}, Usage("provider", 5, None, None)),
        ({"input_tokens": "5", "cache_read_input_tokens": -1}, Usage("provider", None, None, None)),
        ({"input_tokens": 2**31 - 1, "cache_creation_input_tokens": 1}, Usage("provider", None, None, None)),
        ({}, Usage()),
        (None, Usage()),
    ],
)
def test_counts_that_are_none_are_not_made_up(usage: object, read: Usage) -> None:
    assert whole({"usage": usage}).summary().usage == read


def test_a_stream_that_was_cut_off_has_what_was_read_and_an_estimate_of_the_rest() -> None:
    captured = stream(*messages.stream_events("m")[: messages.HALF])
    assert captured.summary() == Summary(Usage("estimated", messages.READ, messages.CACHED, 7), "m", None)
    assert not captured.has_ended_well()


def test_thinking_and_input_of_tools_count_as_pieces_too() -> None:
    captured = stream(*messages.tool_events("m")[:12])
    assert captured.summary().usage.output == 4


def test_a_stop_reason_alone_is_no_end() -> None:
    captured = stream(*messages.stream_events("m")[:-1])
    assert captured.summary().finish_reason == "end_turn"
    assert not captured.has_ended_well()
