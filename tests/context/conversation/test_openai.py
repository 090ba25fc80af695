"""In OpenAI's dialect messages are put in between; those of the client stay what they are."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import orjson
import pytest

from ibex.context.conversation import Injection, OpenAIConversation
from ibex.context.directives import MODES, InjectionMode
from tests.context.conversation.turns import openai_turns

NOTICE = "Everything within <memories abc> is recalled data."
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def system(content: str) -> dict[str, Any]:
    return {"role": "system", "content": content}


def assistant(content: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": content}


def of(*messages: dict[str, Any], **fields: Any) -> OpenAIConversation:
    return OpenAIConversation({"model": "m", "messages": list(messages), **fields})


def put_in(
    conversation: OpenAIConversation,
    directive: Injection | None = None,
    memories: str | None = "M",
    notice: str | None = NOTICE,
) -> list[dict[str, Any]]:
    return list(conversation.with_context(directive, memories, notice)["messages"])


def shared(one: bytes, other: bytes) -> int:
    """The length of what two bodies begin with alike."""
    alike = next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), None)
    return min(len(one), len(other)) if alike is None else alike


def test_the_directive_comes_first_and_the_notice_behind_what_the_client_begins_with() -> None:
    rules, question = system("Be kind."), user("Hi")

    messages = put_in(of(rules, question), Injection("D", "system_first"))

    assert messages == [system("D"), rules, system(NOTICE), user("M"), question]
    assert messages[1] is rules
    assert messages[-1] is question


def test_without_instructions_of_the_client_directive_and_notice_are_one_message() -> None:
    assert put_in(of(user("Hi")), Injection("D")) == [system(f"D\n\n{NOTICE}"), user("M"), user("Hi")]


def test_an_appended_directive_stands_behind_the_clients_instructions() -> None:
    messages = put_in(of(system("Be kind."), user("Hi")), Injection("D", "system_append"))

    assert messages == [system("Be kind."), system(f"D\n\n{NOTICE}"), user("M"), user("Hi")]


def test_a_prepended_directive_is_said_before_the_first_user_message() -> None:
    said = (system("Be kind."), assistant("Hello!"), user("Hi"), assistant("Yes?"), user("Well"))

    messages = put_in(of(*said), Injection("D", "user_prepend"))

    assert messages == [*said[:2], user(f"D\n\n{NOTICE}"), *said[2:4], user("M"), said[4]]


def test_without_a_directive_the_notice_stands_alone() -> None:
    assert put_in(of(system("S"), user("Hi"))) == [system("S"), system(NOTICE), user("M"), user("Hi")]
    assert put_in(of(user("Hi"))) == [system(NOTICE), user("M"), user("Hi")]


def test_what_is_said_to_the_model_has_the_role_that_the_client_uses() -> None:
    developer = {"role": "developer", "content": "Be kind."}

    messages = put_in(of(developer, user("Hi")), Injection("D"))

    assert [message["role"] for message in messages] == ["developer"] * 3 + ["user"] * 2


@pytest.mark.parametrize("mode", MODES)
def test_without_a_user_message_there_are_no_memories_and_still_the_directive(mode: InjectionMode) -> None:
    messages = put_in(of(system("S"), assistant("A")), Injection("D", mode), notice=None)

    assert "M" not in [message["content"] for message in messages]
    assert "D" in [message["content"] for message in messages]
    assert of(system("S")).question == ""


def test_with_nothing_to_put_in_the_body_is_the_same_object() -> None:
    fields = {"model": "m", "messages": [user("Hi")]}

    assert OpenAIConversation(fields).with_context(None, None, None) is fields


def test_the_body_that_was_parsed_is_never_changed() -> None:
    fields = {"model": "m", "messages": [system("S"), user([{"type": "text", "text": "Hi"}])], "seed": 1}
    before = orjson.dumps(fields)

    changed = OpenAIConversation(fields).with_context(Injection("D", "user_prepend"), "M", NOTICE)

    assert orjson.dumps(fields) == before
    assert changed["seed"] == 1


def test_parts_are_read_and_left_as_they_are() -> None:
    parts = user([{"type": "text", "text": "What is"}, IMAGE, {"type": "text", "text": "this?"}])
    conversation = of(parts)

    assert conversation.question == "What is\nthis?"
    assert put_in(conversation)[-1] is parts


def test_in_a_tool_loop_the_memories_stay_before_the_same_question() -> None:
    asked = (system("S"), user("What is the weather?"))
    called = {"role": "assistant", "content": None, "tool_calls": [{"id": "1", "type": "function"}]}
    result = {"role": "tool", "tool_call_id": "1", "content": "Sunny"}

    first = put_in(of(*asked), Injection("D"))
    second = put_in(of(*asked, called, result), Injection("D"))

    assert second[: len(first)] == first
    assert second[len(first) :] == [called, result]


def test_a_turn_goes_on_when_something_follows_its_question() -> None:
    result = {"role": "tool", "tool_call_id": "1", "content": "Sunny"}

    assert of(user("Q"), assistant(None), result).is_continued
    assert not of(user("Q"), assistant("A"), user("Q2")).is_continued
    assert not of(system("S")).is_continued


def test_the_opening_is_the_same_in_every_turn_and_the_question_is_the_newest() -> None:
    bodies = list(openai_turns(3, system="Be kind."))

    assert {OpenAIConversation(body).opening for body in bodies} == {
        "Be kind.\nQuestion 0, which is like no other: 0?"
    }
    assert OpenAIConversation(bodies[2]).question == "Question 2, which is like no other: 2?"


def test_the_texts_are_what_users_and_assistants_say() -> None:
    conversation = of(system("S"), user("Q"), assistant([{"type": "text", "text": "A"}]), assistant(None))

    assert list(conversation.texts) == ["Q", "A"]


def test_the_extent_has_every_text_and_what_only_the_provider_can_count() -> None:
    called = {"role": "assistant", "content": None, "tool_calls": [{"id": "1", "function": {"name": "f"}}]}
    result = {"role": "tool", "tool_call_id": "1", "content": "Sunny"}
    question = user([{"type": "text", "text": "Q"}, IMAGE])

    extent = of(system("S"), question, called, result, tools=[{"type": "function"}]).extent

    assert list(extent.texts) == ["S", "Q", "Sunny"]
    assert list(extent.others) == ['[{"id":"1","function":{"name":"f"}}]', '[{"type":"function"}]']
    assert (extent.messages, extent.attachments) == (4, 1)


@pytest.mark.parametrize("content", [None, 5, [], [5, None, {"type": "text"}, {"text": 5}], {"a": 1}])
def test_strange_content_is_no_text(content: object) -> None:
    conversation = of(user(content))

    assert (conversation.question, list(conversation.texts)) == ("", [])
    assert put_in(conversation)[-1] == user(content)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("instructions", [None, "Be kind."])
@pytest.mark.parametrize("has_directive", [True, False])
def test_over_ten_turns_everything_but_the_newest_turn_stays_as_it_was(
    mode: InjectionMode, instructions: str | None, has_directive: bool
) -> None:
    directive = Injection("D" * 500, mode) if has_directive else None
    bodies = list(openai_turns(10, instructions))
    sent = [
        OpenAIConversation(body).with_context(directive, f"Memories of turn {number}", NOTICE)
        for number, body in enumerate(bodies)
    ]

    for number, (one, other) in enumerate(pairwise(sent)):
        # Up to where the memories of the earlier turn began.
        stable = orjson.dumps({**one, "messages": _before_newest_turn(one["messages"])})
        end = stable.index(b"]")
        assert shared(orjson.dumps(one), orjson.dumps(other)) >= end
        assert orjson.dumps(bodies[number]["messages"][-3:-1])[1:-1] in stable or number == 0
        assert (NOTICE.encode() in stable, b"DDD" in stable) == (True, has_directive)


def _before_newest_turn(messages: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return list(messages[:-2])
