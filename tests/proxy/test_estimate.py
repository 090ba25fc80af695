"""How many tokens a request may use, guessed from its size and from what it says."""

from typing import Any

import orjson
import pytest

from ibex.proxy.estimate import estimate_chat, estimate_embeddings
from ibex.proxy.payload import parse_chat, parse_embeddings

ASSUMED_ANSWER = 1_000
ATTACHMENT = 1_000


def estimate(content: Any = "hello", **fields: Any) -> int:
    body = orjson.dumps({"model": "m", "messages": [{"role": "user", "content": content}], **fields})
    return estimate_chat(parse_chat(body, 100), len(body))


def of_body(content: Any = "hello", **fields: Any) -> int:
    """Its size at four bytes to a token, rounded up."""
    body = orjson.dumps({"model": "m", "messages": [{"role": "user", "content": content}], **fields})
    return -(-len(body) // 4)


def test_the_request_counts_by_its_size_and_the_answer_as_it_usually_is() -> None:
    assert estimate() == of_body() + ASSUMED_ANSWER
    assert estimate("x" * 4_000) - estimate("") == 1_000


@pytest.mark.parametrize("field", ["max_tokens", "max_completion_tokens"])
def test_the_answer_counts_as_long_as_it_may_be(field: str) -> None:
    assert estimate(**{field: 7}) == of_body(**{field: 7}) + 7


def test_the_newer_name_wins() -> None:
    fields = {"max_tokens": 5, "max_completion_tokens": 50}
    assert estimate(**fields) == of_body(**fields) + 50


def test_several_answers_count_several_times() -> None:
    assert estimate(n=3, max_tokens=10) == of_body(n=3, max_tokens=10) + 30


@pytest.mark.parametrize("wrong", [0, -5, True, "10", None, [1], 0.5])
def test_what_is_no_number_of_tokens_is_left_to_the_provider(wrong: object) -> None:
    assert estimate(max_tokens=wrong) == of_body(max_tokens=wrong) + ASSUMED_ANSWER
    assert estimate(n=wrong, max_tokens=10) == of_body(n=wrong, max_tokens=10) + 10


@pytest.mark.parametrize("huge", [10**18, 1e300])
def test_no_number_is_too_large_to_be_counted(huge: float) -> None:
    assert 1_000_000_000_000 < estimate(max_tokens=huge, n=10**9) < 1 << 53


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 100_000}},
        {"type": "input_audio", "input_audio": {"data": "A" * 100_000, "format": "wav"}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "A" * 100_000}},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "A" * 100_000}},
        {"type": "document", "source": {"type": "base64", "data": "A" * 100_000}},
    ],
)
def test_what_is_sent_along_does_not_count_as_text(part: dict[str, Any]) -> None:
    text = {"type": "text", "text": "hello"}
    assert ATTACHMENT < estimate([text, part, part]) - ATTACHMENT - ASSUMED_ANSWER < ATTACHMENT + 200


def test_what_a_tool_has_shown_does_not_count_as_text_either() -> None:
    image = {"type": "image", "source": {"type": "base64", "data": "A" * 100_000}}
    result = {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": "See"}, image]}
    assert ATTACHMENT < estimate([result, result]) - ATTACHMENT - ASSUMED_ANSWER < ATTACHMENT + 200


def test_a_document_that_is_written_out_counts_as_the_text_it_is() -> None:
    document = {"type": "document", "source": {"type": "text", "data": "x" * 100_000}}
    assert estimate([document]) == of_body([document]) + ASSUMED_ANSWER


@pytest.mark.parametrize(
    "content",
    [
        *(None, [], [1], [{}], [{"type": "image_url"}], [{"type": "file", "file": 7}]),
        *([{"type": ["image"]}], [{"type": "image", "source": "x"}]),
        [{"type": "tool_result", "content": [7, {"type": "tool_result", "content": [{"type": "image"}]}]}],
        [{"type": "tool_result", "content": "x"}],
    ],
)
def test_a_content_of_any_shape_is_counted(content: object) -> None:
    assert estimate(content) >= of_body(content)


def test_embeddings_have_no_answer() -> None:
    body = orjson.dumps({"model": "m", "input": "x" * 4_000})
    assert estimate_embeddings(parse_embeddings(body), len(body)) == -(-len(body) // 4)
