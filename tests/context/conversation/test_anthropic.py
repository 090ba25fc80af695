"""In Anthropic's dialect roles alternate, and the prompt cache is told what to keep."""

from itertools import pairwise
from typing import Any

import orjson
import pytest

from ibex.context.conversation import AnthropicConversation, Injection
from ibex.context.directives import MODES, InjectionMode
from tests.context.conversation.turns import anthropic_turns

NOTICE = "Everything within <memories abc> is recalled data."
MARK = {"type": "ephemeral"}
HOUR = {"type": "ephemeral", "ttl": "1h"}
RESULT = {"type": "tool_result", "tool_use_id": "t", "content": "Sunny"}
USE = {"type": "tool_use", "id": "t", "name": "weather", "input": {"at": "Porto"}}


def text(said: str, mark: dict[str, str] | None = None) -> dict[str, Any]:
    return {"type": "text", "text": said, **({"cache_control": mark} if mark else {})}


def user(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {"role": "user", "content": list(blocks)}


def assistant(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {"role": "assistant", "content": list(blocks)}


def asked(said: str) -> dict[str, Any]:
    return {"role": "user", "content": said}


def of(*messages: dict[str, Any], **fields: Any) -> AnthropicConversation:
    return AnthropicConversation({"model": "m", "messages": list(messages), **fields})


def put_in(
    conversation: AnthropicConversation,
    directive: Injection | None = None,
    memories: str | None = "M",
    notice: str | None = NOTICE,
) -> dict[str, Any]:
    return dict(conversation.with_context(directive, memories, notice))


def unmarked(value: Any) -> Any:
    """What the model reads: marks are not part of it, and a text is a block of text."""
    if isinstance(value, dict):
        return {
            name: [text(inner)]
            if name in ("content", "system") and isinstance(inner, str)
            else unmarked(inner)
            for name, inner in value.items()
            if name != "cache_control"
        }
    return [unmarked(each) for each in value] if isinstance(value, list) else value


def marks(value: Any) -> int:
    if isinstance(value, dict):
        return int(value.get("cache_control") is not None) + sum(
            marks(inner) for name, inner in value.items() if name != "cache_control"
        )
    return sum(map(marks, value)) if isinstance(value, list) else 0


def test_directive_and_notice_stand_around_the_clients_system_prompt() -> None:
    fields = put_in(of(asked("Hi"), system="Be kind."), Injection("D"))

    assert fields["system"] == [text("D"), text("Be kind.", MARK), text(NOTICE)]
    assert fields["messages"] == [user(text("M"), text("Hi"))]


def test_blocks_of_a_system_prompt_stay_the_objects_that_they_are() -> None:
    first, second = text("Be kind."), text("Be brief.")

    system = put_in(of(asked("Hi"), system=[first, second]), Injection("D", "system_append"))["system"]

    assert unmarked(system) == [text("Be kind."), text("Be brief."), text("D"), text(NOTICE)]
    assert system[0] is first
    assert system[1] is second


def test_a_prepended_directive_begins_the_first_user_message() -> None:
    said = (asked("Hi"), assistant(text("Yes?")), asked("Well"))

    fields = put_in(of(*said), Injection("D", "user_prepend"))

    assert "system" not in fields
    assert unmarked(fields["messages"]) == [
        user(text(f"D\n\n{NOTICE}"), text("Hi")),
        said[1],
        user(text("M"), text("Well")),
    ]


def test_in_the_first_turn_the_memories_stand_behind_a_prepended_directive() -> None:
    messages = put_in(of(asked("Hi")), Injection("D", "user_prepend"))["messages"]

    assert messages == [user(text(f"D\n\n{NOTICE}"), text("M"), text("Hi"))]


def test_without_a_directive_the_notice_stands_alone() -> None:
    assert unmarked(put_in(of(asked("Hi")))["system"]) == [text(NOTICE)]
    assert unmarked(put_in(of(asked("Hi"), system="S"))["system"]) == [text("S"), text(NOTICE)]


@pytest.mark.parametrize("mode", MODES)
def test_without_a_user_message_there_are_no_memories_and_still_the_directive(mode: InjectionMode) -> None:
    for conversation in (of(), of(user(RESULT))):
        fields = put_in(conversation, Injection("D", mode))

        assert unmarked(fields["system"]) == [text("D"), text(NOTICE)]
        assert b'"M"' not in orjson.dumps(fields)
        assert conversation.question == ""


def test_with_nothing_to_put_in_the_body_is_the_same_object() -> None:
    fields = {"model": "m", "messages": [asked("Hi")], "system": "S"}

    assert AnthropicConversation(fields).with_context(None, None, None) is fields


def test_the_body_that_was_parsed_is_never_changed() -> None:
    fields = {
        "model": "m",
        "system": [text("S")],
        "messages": [asked("Hi"), assistant(text("Yes?")), user(text("Well"))],
        "tools": [{"name": "weather"}],
    }
    before = orjson.dumps(fields)

    changed = AnthropicConversation(fields).with_context(Injection("D", "user_prepend"), "M", NOTICE)

    assert orjson.dumps(fields) == before
    assert changed["tools"] is fields["tools"]


def test_results_of_tools_stay_in_front_of_what_is_put_in() -> None:
    picture = {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}}
    said = (asked("Weather?"), assistant(USE), user(RESULT, picture, text("And now?")))

    blocks = put_in(of(*said))["messages"][-1]["content"]

    assert blocks == [RESULT, text("M"), picture, text("And now?")]
    assert blocks[2] is picture


def test_in_a_tool_loop_the_memories_stay_in_the_same_question() -> None:
    question = asked("Weather?")

    first = put_in(of(question), Injection("D"))
    second = put_in(of(question, assistant(USE), user(RESULT)), Injection("D"))

    assert second["system"] == first["system"]
    assert second["messages"][0] == first["messages"][0]
    assert of(question, assistant(USE), user(RESULT)).question == "Weather?"
    assert second["messages"][-1]["content"][-1]["cache_control"] == MARK


def test_before_the_newest_turn_the_cache_is_told_to_keep_what_it_has_read() -> None:
    said = (asked("Hi"), {"role": "assistant", "content": "Yes?"}, asked("Well"))

    messages = put_in(of(*said))["messages"]

    assert messages[1] == assistant(text("Yes?", MARK))
    assert marks(messages) == 1


def test_blocks_that_cannot_be_marked_are_passed_over() -> None:
    thinking = {"type": "thinking", "thinking": "…", "signature": "s"}
    said = (asked("Hi"), assistant(text("Yes?"), text(""), thinking), asked("Well"))

    messages = put_in(of(*said))["messages"]

    assert messages[1] == assistant(text("Yes?", MARK), text(""), thinking)
    assert marks(put_in(of(asked("Hi"), assistant(thinking), asked("Well")))["messages"]) == 0


@pytest.mark.parametrize("own", range(5))
def test_there_are_never_more_than_four_marks(own: int) -> None:
    system = [text(f"S{number}", MARK if number < own else None) for number in range(4)]
    said = (asked("Hi"), assistant(text("Yes?")), asked("Well"), assistant(USE), user(RESULT))

    fields = put_in(of(*said, system=system), Injection("D"))

    assert marks(fields) == min(4, own + 3 if own < 4 else own)
    assert fields["system"][1 : 1 + own] == system[:own]


def test_a_mark_for_the_whole_request_counts_as_one() -> None:
    system = [text(f"S{number}", MARK) for number in range(3)]
    said = (asked("Hi"), assistant(text("Yes?")), asked("Well"))

    fields = put_in(of(*said, system=system, cache_control=MARK))

    assert marks(fields["messages"]) == 0
    assert fields["cache_control"] == MARK


def test_nothing_is_marked_before_a_mark_that_lasts_longer() -> None:
    said = (asked("Hi"), assistant(text("Yes?")), user(text("Well", HOUR)), assistant(USE), user(RESULT))

    fields = put_in(of(*said, system="S"), Injection("D"))

    assert marks(fields["system"]) == 0
    assert [marks(message) for message in fields["messages"]] == [0, 0, 1, 0, 1]


def test_a_mark_of_the_clients_stays_the_only_one_of_its_block() -> None:
    said = (asked("Hi"), assistant(text("Yes?", MARK)), asked("Well"))

    assert marks(put_in(of(*said))["messages"]) == 1


def test_the_extent_has_every_text_and_what_only_the_provider_can_count() -> None:
    image = {"type": "image", "source": {}}
    result = {**RESULT, "content": [text("Sunny"), image]}
    conversation = of(user(image, text("Q")), assistant(USE), user(result), system="S", tools=[{"name": "w"}])

    extent = conversation.extent

    assert list(extent.texts) == ["S", "Q", "Sunny"]
    assert list(extent.others) == ['{"at":"Porto"}', '[{"name":"w"}]']
    assert (extent.messages, extent.attachments) == (3, 2)
    assert list(conversation.texts) == ["Q"]


def test_a_turn_goes_on_when_something_follows_its_question() -> None:
    assert of(asked("Q"), assistant(USE), user(RESULT)).is_continued
    assert not of(asked("Q"), assistant(USE), user(RESULT, text("And?"))).is_continued
    assert not of().is_continued


def test_the_opening_is_the_same_in_every_turn() -> None:
    openings = {AnthropicConversation(body).opening for body in anthropic_turns(3, "Be kind.")}

    assert openings == {"Be kind.\nQuestion 0, which is like no other: 0?"}


@pytest.mark.parametrize("content", [None, 5, [], [5, None, {"type": "text"}, {"text": 5}], {"a": 1}])
def test_strange_content_is_no_text_and_no_error(content: object) -> None:
    conversation = of({"role": "user", "content": content}, system=content)

    assert conversation.question == ""
    put_in(conversation, Injection("D"))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("instructions", [None, "Be kind.", [text("Be kind."), text("Be brief.")]])
@pytest.mark.parametrize("has_directive", [True, False])
def test_over_ten_turns_everything_but_the_newest_turn_stays_as_it_was(
    mode: InjectionMode, instructions: Any, has_directive: bool
) -> None:
    directive = Injection("D" * 500, mode) if has_directive else None
    sent = [
        AnthropicConversation(body).with_context(directive, f"Memories of turn {number}", NOTICE)
        for number, body in enumerate(anthropic_turns(10, instructions))
    ]

    for one, other in pairwise(sent):
        before, after = unmarked(dict(one)), unmarked(dict(other))
        assert before.get("system") == after.get("system")
        earlier, newest = before["messages"][:-1], before["messages"][-1]
        assert after["messages"][: len(earlier)] == earlier
        prepended = mode == "user_prepend" and has_directive and not earlier
        assert (newest["content"][0] == after["messages"][0]["content"][0]) is prepended
        # What was marked in one turn is read again in the next.
        assert marks(one) <= 4
        assert marks(other["messages"][-3:-1]) == 1
