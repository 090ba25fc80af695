"""What an answer says to its user, as memory is to keep it: no reasoning, no tools, one choice."""

from collections.abc import Iterable
from typing import Any

import orjson
import pytest

from ibex.proxy.capture import LARGEST_STREAM_KEPT, Capture
from ibex.proxy.dialects import ANTHROPIC, OPENAI, Interface
from tests.providers import messages, payloads


def streamed(interface: Interface, *chunks: bytes) -> Capture:
    captured = Capture(interface)
    for chunk in chunks:
        captured.feed(chunk)
    return captured


def whole(interface: Interface, answer: dict[str, Any]) -> Capture:
    captured = Capture(interface)
    captured.feed_object(orjson.dumps(answer), answer)
    return captured


def chosen(*contents: object) -> dict[str, Any]:
    return {
        "choices": [
            {"index": index, "message": {"role": "assistant", "content": content}}
            for index, content in enumerate(contents)
        ]
    }


def test_nothing_that_was_fed_says_nothing() -> None:
    for interface in (OPENAI, ANTHROPIC):
        assert Capture(interface).text() == ""


def test_a_chat_completion_says_its_content() -> None:
    assert whole(OPENAI, payloads.completion("m")).text() == payloads.ANSWER
    tokens = "".join(f" token{number:02d}" for number in range(47))
    assert streamed(OPENAI, *payloads.stream_events("m")).text() == tokens


def test_the_first_choice_is_what_was_said() -> None:
    assert whole(OPENAI, chosen("one", "two")).text() == "one"
    events = [
        payloads.sse_event({"choices": [{"index": index, "delta": {"content": text}}]})
        for index, text in [(1, "two"), (0, "o"), (1, "!"), (0, "ne")]
    ]
    assert streamed(OPENAI, *events).text() == "one"


@pytest.mark.parametrize("content", [None, 7, ["x"], {}])
def test_a_content_that_is_no_text_says_nothing(content: object) -> None:
    assert whole(OPENAI, chosen(content)).text() == ""
    assert whole(OPENAI, {"choices": content}).text() == ""
    assert whole(ANTHROPIC, {"content": content}).text() == ""
    assert whole(ANTHROPIC, {"content": [{"type": "text", "text": content}]}).text() == ""


def test_reasoning_and_tools_are_not_said() -> None:
    assert (
        streamed(OPENAI, *payloads.fidelity_events("m")).text() == 'Zürich 東京 🦌 \u2028 "quoted" </script>'
    )
    assert whole(ANTHROPIC, messages.tool_message("m")).text() == "Let me look."
    assert streamed(ANTHROPIC, *messages.tool_events("m")).text() == 'Let me "look" \u2028🦌.'


def test_a_message_says_its_text() -> None:
    assert whole(ANTHROPIC, messages.message("m")).text() == messages.ANSWER
    assert streamed(ANTHROPIC, *messages.stream_events("m")).text() == messages.ANSWER


@pytest.mark.parametrize(
    ("blocks", "says"),
    [
        # Citations cut a sentence into blocks.
        (["The sky ", "is blue", "."], "The sky is blue."),
        (["Let me look.", None, "It rains."], "Let me look.\nIt rains."),
        ([None, "It rains.", None, None, "It pours.", None], "It rains.\nIt pours."),
    ],
)
def test_texts_with_something_else_between_them_are_lines(blocks: Iterable[str | None], says: str) -> None:
    content: list[dict[str, Any]] = [
        {"type": "server_tool_use"} if text is None else {"type": "text", "text": text} for text in blocks
    ]
    assert whole(ANTHROPIC, {"content": content}).text() == says
    events = []
    for index, block in enumerate(content):
        opened = {**block, "text": ""} if "text" in block else block
        events.append(messages.event("content_block_start", index=index, content_block=opened))
        if "text" in block:
            delta = {"type": "text_delta", "text": block["text"]}
            events.append(messages.event("content_block_delta", index=index, delta=delta))
    assert streamed(ANTHROPIC, *events).text() == says


def test_a_stream_that_was_not_kept_whole_says_nothing() -> None:
    long = payloads.sse_event(payloads.chunk("m", {"content": "x" * 50_000}))
    captured = streamed(OPENAI, *[long] * (LARGEST_STREAM_KEPT // len(long) + 3))
    assert captured.body() is None
    assert captured.text() == ""
