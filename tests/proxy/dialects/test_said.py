"""What an answer does beside what it says: calls of tools, and refusals."""

from collections.abc import Sequence
from typing import Any

import orjson
import pytest

from ibex.proxy.capture import Capture
from ibex.proxy.dialects import ANTHROPIC, OPENAI
from tests.proxy.dialects.test_text import streamed, whole


def call(**marks: Any) -> dict[str, Any]:
    name = marks.pop("name", None)
    return {**marks, "type": "function", "function": {"name": name, "arguments": "{}"}}


def in_pieces(*calls: dict[str, Any]) -> Capture:
    return streamed(
        OPENAI, *(_event({"choices": [{"index": 0, "delta": {"tool_calls": [each]}}]}) for each in calls)
    )


def _event(event: object) -> bytes:
    return b"data: " + orjson.dumps(event) + b"\n\n"


def test_the_tools_of_a_completion_are_named_in_their_order() -> None:
    message = {"content": None, "tool_calls": [call(id="1", name="search"), call(id="2", name="search")]}
    assert whole(OPENAI, {"choices": [{"message": message}]}).said().tools == ("search", "search")


def test_custom_tools_and_functions_of_old_count_as_well() -> None:
    custom = {"tool_calls": [{"id": "1", "type": "custom", "custom": {"name": "shell", "input": "ls"}}]}
    assert whole(OPENAI, {"choices": [{"message": custom}]}).said().tools == ("shell",)
    old = {"function_call": {"name": "weather", "arguments": "{}"}}
    assert whole(OPENAI, {"choices": [{"message": old}]}).said().tools == ("weather",)


@pytest.mark.parametrize(
    "pieces",
    [
        [call(index=0, id="1", name="a"), call(index=0), call(index=1, id="2", name="b"), call(index=1)],
        # Repeating the name, with the id or without.
        [call(index=0, id="1", name="a"), call(index=0, id="1", name="a"), call(index=1, id="2", name="b")],
        [call(index=0, id="1", name="a"), call(index=0, id="", name="a"), call(index=1, id="2", name="b")],
        # One index for all.
        [call(index=0, id="1", name="a"), call(index=0, id="2", name="b")],
        # No marks at all.
        [call(name="a"), call(name="b")],
    ],
)
def test_a_call_that_comes_in_pieces_is_one_call(pieces: Sequence[dict[str, Any]]) -> None:
    assert in_pieces(*pieces).said().tools == ("a", "b")


def test_a_message_names_its_tools_and_those_of_others() -> None:
    blocks = [
        {"type": "text", "text": "I look."},
        {"type": "tool_use", "name": "search", "input": {}},
        {"type": "server_tool_use", "name": "web_search", "input": {}},
        {"type": "web_search_tool_result", "content": []},
    ]
    assert whole(ANTHROPIC, {"content": blocks}).said().tools == ("search", "web_search")
    events = [
        _event({"type": "content_block_start", "index": index, "content_block": block})
        for index, block in enumerate(blocks)
    ]
    assert streamed(ANTHROPIC, *events).said().tools == ("search", "web_search")


@pytest.mark.parametrize("reason", ["stop", "content_filter"])
def test_a_completion_is_refused_by_the_model_or_by_a_filter(reason: str) -> None:
    refusal = None if reason == "content_filter" else "I will not."
    part = {"content": "", "refusal": refusal}
    assert whole(OPENAI, {"choices": [{"finish_reason": reason, "message": part}]}).is_refused()
    assert streamed(
        OPENAI,
        _event({"choices": [{"index": 0, "delta": part}]}),
        _event({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}),
    ).is_refused()


def test_a_message_is_refused_by_its_stop_reason() -> None:
    assert whole(ANTHROPIC, {"stop_reason": "refusal", "content": []}).is_refused()
    assert not whole(ANTHROPIC, {"stop_reason": "end_turn", "content": []}).is_refused()


def test_names_are_cut_and_nothing_else_is_a_name() -> None:
    names: list[object] = ["x" * 500, "", None, 7, ["a"], {"b": 1}, "a\x00b"]
    message = {"tool_calls": [call(name=name) for name in names]}
    assert whole(OPENAI, {"choices": [{"message": message}]}).said().tools == ("x" * 128, "ab")


def test_the_fingerprint_of_a_completion_is_told() -> None:
    assert whole(OPENAI, {"system_fingerprint": "fp_1", "choices": []}).summary().fingerprint == "fp_1"
    assert streamed(OPENAI, _event({"system_fingerprint": "fp_2"})).summary().fingerprint == "fp_2"
    assert whole(ANTHROPIC, {"content": []}).summary().fingerprint is None
