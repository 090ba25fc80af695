"""What is read from the copy of an answer, whatever that answer was."""

from hashlib import sha256
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ibex.proxy.capture import LARGEST_STREAM_KEPT, Capture
from ibex.proxy.dialects import Summary, Usage
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


def stream(*chunks: bytes) -> Capture:
    captured = Capture()
    for chunk in chunks:
        captured.feed(chunk)
    return captured


def whole(answer: dict[str, Any]) -> Capture:
    captured = Capture()
    captured.feed_object(orjson.dumps(answer), answer)
    return captured


@settings(deadline=None)
@given(st.lists(st.binary(max_size=60) | LINES, max_size=5))
def test_any_bytes_have_a_summary(chunks: list[bytes]) -> None:
    captured = stream(*chunks)
    summary = captured.summary()
    everything = b"".join(chunks)
    assert captured.body() == everything
    assert captured.size == len(everything)
    assert captured.hexdigest() == sha256(everything).hexdigest()
    for text in (summary.model, summary.finish_reason):
        assert text is None or (len(text) <= 256 and "\x00" not in text)
    for count in (summary.usage.input, summary.usage.cached, summary.usage.output):
        assert count is None or 0 <= count < 2**31
    captured.has_ended_well()


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(["usage", "model", "choices"]), JSON))
def test_any_json_has_a_summary(answer: dict[str, Any]) -> None:
    captured = whole(answer)
    captured.summary()
    assert captured.body() == orjson.dumps(answer)
    assert captured.hexdigest() == sha256(orjson.dumps(answer)).hexdigest()
    assert captured.size == len(orjson.dumps(answer))


def test_nothing_fed_is_nothing_said() -> None:
    assert Capture().summary() == Summary(Usage(), None, None)
    assert Capture().body() == b""


def test_a_whole_answer_says_what_it_cost() -> None:
    captured = whole(payloads.completion("m"))
    assert captured.summary() == Summary(Usage("provider", 57, 0, 113), "m", "stop", "fp_stub")


@pytest.mark.parametrize("size", [1, 10, 1_000, 100_000])
def test_a_stream_says_what_it_cost_however_it_was_cut(size: int) -> None:
    everything = b"".join(payloads.stream_events("m"))
    captured = stream(*(everything[start : start + size] for start in range(0, len(everything), size)))
    assert captured.summary() == Summary(Usage("provider", 57, 0, 113), "m", "stop", "fp_stub")
    assert captured.has_ended_well()
    assert captured.is_done()


def test_a_large_answer_says_what_it_cost_too() -> None:
    captured = whole({**payloads.completion("m"), "padding": "x" * (5 << 20)})
    assert captured.summary() == Summary(Usage("provider", 57, 0, 113), "m", "stop", "fp_stub")
    assert captured.body() is not None


def test_of_a_stream_that_was_cut_off_the_pieces_are_counted() -> None:
    """Text, reasoning and the arguments of tools are output; the opening chunk is none."""
    deltas: list[dict[str, Any]] = [
        {"role": "assistant", "content": ""},
        {"content": "a"},
        {"content": None, "reasoning_content": "b"},
        {"reasoning": "c"},
        {"tool_calls": [{"index": 0, "function": {"name": "f", "arguments": ""}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": "{"}}]},
        {"reasoning": "the same", "reasoning_content": "the same"},
        {"refusal": '"content":"said"'},
    ]
    captured = stream(*(payloads.sse_event(payloads.chunk("m", d)) for d in deltas))
    assert captured.summary() == Summary(Usage("estimated", output=5), "m", None, "fp_stub")
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
    assert stream(b'data: {"a":1}\n\n', end).is_done() is is_done
    assert stream(end).is_done() is is_done


@pytest.mark.parametrize("said", [b"data: [DONE]" + b"x" * length for length in range(45, 60)])
def test_done_within_a_line_is_no_end_wherever_the_tail_begins(said: bytes) -> None:
    assert not stream(b'data: {"content":"', said).is_done()


def test_what_was_read_is_not_read_again() -> None:
    captured = stream(*payloads.stream_events("m"))
    assert captured.summary() is captured.summary()


@pytest.mark.parametrize("size", [1_000, 50_000, 200_000])
def test_the_pieces_of_a_large_stream_are_all_counted_however_it_was_cut(size: int) -> None:
    everything = payloads.sse_event(payloads.chunk("m", {"content": "x" * 100})) * 20_000
    captured = stream(*(everything[start : start + size] for start in range(0, len(everything), size)))
    assert len(everything) > LARGEST_STREAM_KEPT
    assert captured.summary() == Summary(Usage("estimated", output=20_000), "m", None, "fp_stub")
    assert captured.body() is None


@settings(deadline=None)
@given(st.lists(st.integers(0, 200_000), max_size=40), st.sampled_from([b"x", b"\n", b"data: {}\n"]))
def test_a_stream_of_any_size_is_kept_or_cut_within_bounds(sizes: list[int], filler: bytes) -> None:
    chunks = [(filler * (size // len(filler) + 1))[:size] for size in sizes]
    captured = stream(*chunks)
    everything = b"".join(chunks)
    assert captured.size == len(everything)
    assert captured.hexdigest() == sha256(everything).hexdigest()
    assert captured.body() in (everything, None)
    if len(everything) <= LARGEST_STREAM_KEPT:
        assert captured.body() == everything
    captured.has_ended_well()


def test_of_a_stream_that_is_too_large_the_ends_are_kept() -> None:
    events = payloads.stream_events("m")
    filler = payloads.sse_event(payloads.chunk("m", {"content": "x" * 10_000}))
    captured = Capture()
    for chunk in [events[0], *[filler] * 2_000, *events[-3:]]:
        captured.feed(chunk)
        assert sum(map(len, captured._chunks)) <= LARGEST_STREAM_KEPT + (128 << 10)
    assert captured.body() is None
    assert captured.size == len(events[0]) + 2_000 * len(filler) + sum(map(len, events[-3:]))
    assert captured.summary() == Summary(Usage("provider", 57, 0, 113), "m", "stop", "fp_stub")
