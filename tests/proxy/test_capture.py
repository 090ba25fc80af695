"""What is read from the copy of an answer, whatever that answer was."""

from hashlib import sha256
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ibex.proxy.capture import Capture, Summary, Usage
from tests.providers import payloads

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["usage", "model", "choices", "finish_reason", "prompt_tokens", "prompt_tokens_details", "x"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
LINES = st.lists(
    st.binary(max_size=40) | JSON.map(lambda value: b"data: " + orjson.dumps(value)), max_size=12
).map(b"\n".join)


def capture(*chunks: bytes, is_stream: bool) -> Capture:
    captured = Capture()
    for chunk in chunks:
        captured.feed(chunk, is_stream=is_stream)
    return captured


@settings(deadline=None)
@given(st.lists(st.binary(max_size=60) | LINES, max_size=5), st.booleans())
def test_any_bytes_have_a_summary(chunks: list[bytes], is_stream: bool) -> None:
    captured = capture(*chunks, is_stream=is_stream)
    summary = captured.summary()
    whole = b"".join(chunks)
    assert captured.body() == whole
    assert captured.size == len(whole)
    assert captured.hexdigest() == sha256(whole).hexdigest()
    for text in (summary.model, summary.finish_reason):
        assert text is None or (len(text) <= 256 and "\x00" not in text)
    for count in (summary.usage.input, summary.usage.cached, summary.usage.output):
        assert count is None or 0 <= count < 2**31
    captured.has_ended_well()


@settings(deadline=None)
@given(JSON)
def test_any_json_has_a_summary(value: Any) -> None:
    capture(orjson.dumps(value), is_stream=False).summary()


def test_a_whole_answer_says_what_it_cost() -> None:
    captured = capture(payloads.encode(payloads.completion("m")), is_stream=False)
    assert captured.summary() == Summary(Usage("provider", 57, 0, 113), "m", "stop")


@pytest.mark.parametrize("size", [1, 10, 1_000, 100_000])
def test_a_stream_says_what_it_cost_however_it_was_cut(size: int) -> None:
    whole = b"".join(payloads.stream_events("m"))
    captured = capture(*(whole[start : start + size] for start in range(0, len(whole), size)), is_stream=True)
    assert captured.summary() == Summary(Usage("provider", 57, 0, 113), "m", "stop")
    assert captured.has_ended_well()
    assert captured.is_done()


def test_of_a_stream_that_was_cut_off_the_pieces_are_counted() -> None:
    """Text, reasoning and the arguments of tools are output; the opening chunk is none."""
    deltas: list[dict[str, Any]] = [
        {"role": "assistant", "content": ""},
        {"content": "a"},
        {"content": None, "reasoning_content": "b"},
        {"reasoning": "c"},
        {"tool_calls": [{"index": 0, "function": {"name": "f", "arguments": ""}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": "{"}}]},
    ]
    captured = capture(*(payloads.sse_event(payloads.chunk("m", d)) for d in deltas), is_stream=True)
    assert captured.summary() == Summary(Usage("estimated", output=4), "m", None)
    assert not captured.has_ended_well()


@pytest.mark.parametrize(
    ("end", "is_done"),
    [
        (b"data: [DONE]\n\n", True),
        (b"data:[DONE]", True),
        (b"data: [DONE]\r\n\r\n", True),
        (b"data: [DONE]\n\n: bye\n\n", True),
        (b'data: {"content":"[DONE]"}\n\n', False),
        (b'data: {"content":"data: [DONE]"}\n\n', False),
        (b": [DONE]\n\n", False),
    ],
)
def test_done_is_only_what_stands_in_a_line_of_its_own(end: bytes, is_done: bool) -> None:
    assert capture(b'data: {"a":1}\n\n', end, is_stream=True).is_done() is is_done
    assert not capture(end, is_stream=False).is_done()


def test_of_an_answer_that_is_too_large_the_ends_are_kept() -> None:
    events = payloads.stream_events("m")
    filler = payloads.sse_event(payloads.chunk("m", {"content": "x" * 10_000}))
    captured = Capture()
    for chunk in [events[0], *[filler] * 2_000, *events[-3:]]:
        captured.feed(chunk, is_stream=True)
        assert sum(map(len, captured._chunks)) <= (4 << 20) + len(filler)
    assert captured.body() is None
    assert captured.size == len(events[0]) + 2_000 * len(filler) + sum(map(len, events[-3:]))
    assert captured.summary() == Summary(Usage("provider", 57, 0, 113), "m", "stop")
