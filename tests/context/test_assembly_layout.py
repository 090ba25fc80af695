"""Where what a model is told stands, so that what its provider has cached stays true."""

import re
from itertools import pairwise
from typing import Any

import pytest
from anthropic import AsyncAnthropic
from openai import AsyncOpenAI

from tests.context.stage import MODEL, Message, Stage, assistant, common_prefix, says, text_of, user
from tests.faults.waiting import until

_DIRECTIVE = "You are Nadir, a travel agent. Be brief."
_TOPICS = (
    "breakfast",
    "the bicycle",
    "the garden",
    "her sister",
    "the dentist",
    "the piano",
    "the marathon",
    "the passport",
    "the kitchen",
    "the holiday",
)
_SYSTEM: Message = {"role": "system", "content": "Answer in English."}
_MODES = ("system_first", "system_append", "user_prepend")
_TOOL: Any = {
    "type": "function",
    "function": {"name": "look_up", "parameters": {"type": "object", "properties": {}}},
}
_NONCE = re.compile(r"<memories ([a-z2-7]{8})>")


async def facts(stage: Stage, user_id: str | None = "ada") -> None:
    """One for each topic, so that each turn is told something else."""
    for number, topic in enumerate(_TOPICS):
        await stage.remembered(f"Ada said of {topic} that number {number} matters.", user_id)


def questions() -> list[str]:
    return [f"What did I say of {topic}?" for topic in _TOPICS]


async def conversation(
    client: AsyncOpenAI, *opening: Message, stage: Stage, headers: dict[str, str]
) -> list[bytes]:
    """Ten turns of it: what the provider was sent in each."""
    said = list(opening)
    sent = []
    for number, question in enumerate(questions()):
        stage.stub.on(MODEL, says(f"Let us talk of {_TOPICS[number]} then."))
        said.append(user(question))
        answer = await client.chat.completions.create(
            model=MODEL,
            messages=said,  # type: ignore[arg-type]
            extra_headers=headers,
        )
        said.append(assistant(answer.choices[0].message.content or ""))
        sent.append(stage.sent)
    return sent


def step(number: int) -> list[Message]:
    """Of a tool loop: the call, and what it came to."""
    call = {
        "id": f"call_{number}",
        "type": "function",
        "function": {"name": "look_up", "arguments": "{}"},
    }
    return [
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": f"call_{number}", "content": f"Result {number}."},
    ]


def this_turn(body: bytes) -> int:
    """Where what belongs to the newest turn alone begins: its memories."""
    starts = [each.start() for each in re.finditer(rb'\{"role":"user","content":"<memories ', body)]
    assert len(starts) == 1
    return starts[0]


@pytest.mark.parametrize(
    ("mode", "session"),
    [("system_first", "monday"), ("system_first", None), ("system_append", None), ("user_prepend", "monday")],
)
async def test_ten_turns_keep_everything_cached_but_the_newest(
    stage: Stage, mode: str, session: str | None
) -> None:
    await stage.directive(_DIRECTIVE, mode)
    await facts(stage)
    headers = {"X-IBEX-User-ID": "ada"} | ({"X-IBEX-Session-ID": session} if session else {})
    async with stage.service.openai() as client:
        sent = await conversation(client, _SYSTEM, stage=stage, headers=headers)

    assert len({_NONCE.findall(body.decode())[0] for body in sent}) == 1
    for before, after in pairwise(sent):
        assert common_prefix(before, after) >= this_turn(before)
    for number, body in enumerate(sent):
        assert f"number {number} matters" in body[this_turn(body) :].decode()
        assert f"number {number} matters" not in body[: this_turn(body)].decode()


async def test_the_front_is_the_same_before_anything_is_remembered(stage: Stage) -> None:
    await stage.directive(_DIRECTIVE)
    await stage.ask(user("Hello!"))
    before = stage.messages[0]
    await facts(stage)
    await stage.ask(user("Hello!"), assistant("Hello."), user("What did I say of breakfast?"))
    assert stage.block
    assert stage.messages[0] == before


async def test_a_stranger_has_the_same_front_in_every_turn(stage: Stage) -> None:
    await stage.directive(_DIRECTIVE)
    await facts(stage, user_id=None)
    said = [user("Hello!")]
    fronts = []
    for question in ("What did Ada say of breakfast?", "Hm.", "And of the piano?"):
        await stage.ask(*said, user_id=None)
        fronts.append(stage.messages[0])
        said += [assistant("Go on."), user(question)]
    await stage.ask(*said, user_id=None)
    assert stage.block
    assert [stage.messages[0]] * 3 == fronts


async def test_conversations_have_nonces_of_their_own(stage: Stage) -> None:
    await facts(stage)
    nonces = set()
    for session in ("monday", "tuesday", None):
        for user_id in ("ada", "grace"):
            await stage.ask(user("What did I say of breakfast?"), session_id=session, user_id=user_id)
            nonces.add(_NONCE.findall(text_of(stage.messages[0]))[0])
    assert len(nonces) == 6


@pytest.mark.parametrize(
    ("mode", "roles"),
    [
        ("system_first", ["system", "system", "system", "user", "user"]),
        ("system_append", ["system", "system", "user", "user"]),
        ("user_prepend", ["system", "user", "user", "user"]),
    ],
)
async def test_the_directive_stands_where_its_mode_says(stage: Stage, mode: str, roles: list[str]) -> None:
    await stage.directive(_DIRECTIVE, mode)
    await stage.remembered("Ada drinks green tea.")
    await stage.ask(_SYSTEM, user("What tea does Ada drink?"))

    messages = stage.messages
    assert [message["role"] for message in messages] == roles
    at = {"system_first": 0, "system_append": 1, "user_prepend": 1}[mode]
    assert text_of(messages[at]).startswith(_DIRECTIVE)
    assert _SYSTEM in messages
    assert text_of(messages[-2]).startswith("<memories ")
    assert "Ada drinks green tea." in text_of(messages[-2])
    assert messages[-1] == user("What tea does Ada drink?")


@pytest.mark.parametrize("mode", _MODES)
async def test_while_tools_are_called_the_memories_stay_byte_for_byte(stage: Stage, mode: str) -> None:
    await stage.directive(_DIRECTIVE, mode)
    await stage.remembered("Ada drinks green tea.")
    said: list[Message] = [_SYSTEM, user("What tea does Ada drink?")]
    await stage.ask(*said, session_id="monday", tools=[_TOOL])
    before, block = stage.messages, stage.block
    for number in range(3):
        # What is learned meanwhile is for the next turn.
        await stage.remembered(f"Ada drinks tea of the kind {number}.")
        said += step(number)
        await stage.ask(*said, session_id="monday", tools=[_TOOL])
        assert stage.messages[: len(before)] == before
        assert stage.messages[len(before) :] == said[2:]
    assert "green tea" in block
    await stage.ask(
        *said, assistant("Green tea."), user("And of which kind is the tea?"), session_id="monday"
    )
    assert "of the kind 2" in stage.block


async def test_a_turn_that_was_told_nothing_stays_so_while_tools_are_called(stage: Stage) -> None:
    said: list[Message] = [user("What tea does Ada drink?")]
    await stage.ask(*said, tools=[_TOOL])
    before = stage.messages
    await stage.remembered("Ada drinks green tea.")
    said.append(assistant("Let me see."))
    await stage.ask(*said, tools=[_TOOL])
    assert stage.messages == [*before, said[-1]]


async def test_what_is_not_stored_yet_is_told_as_long_as_tools_are_called(stage: Stage) -> None:
    """No worker runs, so it is told from where it waits."""
    stage.stub.on(MODEL, says(""))
    said: list[Message] = [user("How is my cat called?")]
    await stage.ask(*said, session_id="tuesday", tools=[_TOOL])
    await stage.ask(user("My cat is called Schroedinger."), session_id="monday")

    async def is_told() -> bool:
        await stage.ask(*said, session_id="tuesday", tools=[_TOOL])
        return "Schroedinger" in stage.block

    await until(is_told)
    before = stage.messages
    for number in range(2):
        said += step(number)
        await stage.ask(*said, session_id="tuesday", tools=[_TOOL])
        assert stage.messages == [*before, *said[1:]]


async def test_a_client_that_sends_no_history_is_told_the_last_turns_of_the_session(stage: Stage) -> None:
    """They are about something else, so no search would find them."""
    stage.stub.on(MODEL, says("The wind was from the north."))
    async with stage.worker():
        await stage.ask(user("Yesterday we sailed to Ericeira."), session_id="monday")
        await stage.learned("Ericeira")
        await stage.learned("from the north")
    await stage.ask(user("Go on."), session_id="monday")
    lines = stage.block.splitlines()[1:-1]
    assert [line.partition("> ")[2] for line in lines] == [
        "Yesterday we sailed to Ericeira.",
        "The wind was from the north.",
    ]
    await stage.ask(user("Go on."), session_id="tuesday")
    assert "Ericeira" not in stage.block


async def test_what_a_turn_was_told_is_not_told_once_it_is_deleted(stage: Stage) -> None:
    tea = await stage.remembered("Ada drinks green tea.")
    said: list[Message] = [user("What tea does Ada drink?")]
    await stage.ask(*said, tools=[_TOOL])
    assert "green tea" in stage.block
    await stage.admin.delete(f"/memories/{tea['id']}")
    said.append({"role": "assistant", "content": "Let me see."})
    await stage.ask(*said, tools=[_TOOL])
    assert "green tea" not in stage.sent.decode()


async def test_parts_that_are_no_text_are_left_as_they_are(stage: Stage) -> None:
    await stage.directive(_DIRECTIVE)
    await stage.remembered("Ada drinks green tea.")
    parts: Message = {
        "role": "user",
        "content": [
            {"type": "text", "text": "What tea does Ada drink, and is it this one?"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA", "detail": "low"}},
            {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}},
            {"type": "x_vendor", "deep": [1, None, {"a": 1e-7}]},
        ],
        "name": "ada",
    }
    await stage.ask(parts)
    assert stage.messages[-1] == parts
    assert "green tea" in stage.block


async def test_other_fields_of_the_body_are_left_as_they_are(stage: Stage) -> None:
    await stage.directive(_DIRECTIVE)
    fields = {"temperature": 0.5, "seed": 7, "metadata": {"a": "b"}, "x_vendor": {"deep": [None]}}
    await stage.ask(user("What tea does Ada drink?"), **fields)
    sent = stage.stub.requests[-1].json()
    assert {name: sent[name] for name in fields} == fields
    assert set(sent) == {"model", "messages", *fields}


async def test_a_developer_message_makes_the_directive_one_too(stage: Stage) -> None:
    await stage.directive(_DIRECTIVE)
    await stage.ask({"role": "developer", "content": "Answer in English."}, user("Hello!"))
    assert [message["role"] for message in stage.messages] == ["developer", "developer", "developer", "user"]


async def test_a_conversation_keeps_its_version_of_the_directive(stage: Stage) -> None:
    """For a day after another one has taken its place; with a session and without one."""
    await stage.directive("Version one.")
    opening = [user("Where shall I go in June?")]
    for session in ("monday", None):
        await stage.ask(*opening, session_id=session)
        assert text_of(stage.messages[0]).startswith("Version one.")
    await stage.directive("Version two.")
    await stage.ask(user("Somebody else asks."), user_id="grace")
    assert text_of(stage.messages[0]).startswith("Version two.")
    for session in ("monday", None):
        await stage.ask(*opening, assistant("To Porto."), user("And in July?"), session_id=session)
        assert text_of(stage.messages[0]).startswith("Version one.")


async def test_in_the_other_dialect_ten_turns_stay_cached_too(stage: Stage) -> None:
    await stage.directive(_DIRECTIVE)
    await facts(stage)
    said: list[Any] = []
    sent = []
    async with AsyncAnthropic(
        base_url=stage.service.url, api_key=stage.service.token, max_retries=0
    ) as client:
        for question in questions():
            said.append(user(question))
            await client.messages.create(
                model="claude-haiku-4-5",
                max_tokens=100,
                messages=said,
                extra_headers={"X-IBEX-User-ID": "ada"},
            )
            said.append(assistant("Go on."))
            sent.append(stage.stub.requests[-1].json())
    for number, body in enumerate(sent):
        assert body["system"] == sent[0]["system"]
        assert [message["role"] for message in body["messages"]] == ["user", "assistant"] * number + ["user"]
        [memories, question] = body["messages"][-1]["content"]
        assert f"number {number} matters" in memories["text"]
        assert question["text"] == questions()[number]
