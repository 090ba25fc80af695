"""What clients can get wrong, or send that is unusual, about what their models are told."""

import json
from typing import Any

import anthropic
import openai
import pytest
import pytest_asyncio
from openai import AsyncOpenAI

from ibex.auth import ALL
from tests.context.stage import Stage, assistant, common_prefix, user
from tests.proxy.asking import CHAT, error_of
from tests.proxy.conftest import Standing
from tests.proxy.messages.asking import MESSAGES
from tests.proxy.messages.asking import anthropic as anthropic_client
from tests.rest.api import Api

pytestmark = pytest.mark.asyncio(loop_scope="module")

SETTINGS: dict[str, Any] = {
    "kinds": ("openai", "anthropic"),
    "context": {
        "deadline_ms": 10_000,
        "models": {
            "tiny": {"context_window": 1_000, "longest_answer": 100, "family": "o200k"},
            "wide": {"context_window": 4_000, "longest_answer": 100, "family": "o200k"},
        },
    },
    "aliases": {"either": ["wide", "tiny"]},
}
_DIRECTIVE = 'Be brief, {name}: <b>{{never}}</b> say %s & "no" — ½.'
# More tokens than the small window has; each word is one.
_LONG = "tea " * 1_200


@pytest_asyncio.fixture(loop_scope="module")
async def stage(standing: Standing) -> Any:
    token = await standing.operator.token(standing.service.org_id, ALL)
    async with Api(standing.service, token) as admin:
        yield Stage(standing.service, standing.stub, standing.operator, standing.database, admin)


@pytest.mark.parametrize("stream", [True, False])
async def test_a_conversation_longer_than_the_window_is_refused_and_not_cut(
    stage: Stage, stream: bool
) -> None:
    before = len(stage.stub.requests)
    async with stage.service.openai() as client:
        with pytest.raises(openai.BadRequestError) as caught:
            await client.chat.completions.create(
                model="tiny", messages=[{"role": "user", "content": _LONG}], stream=stream
            )
    error: Any = caught.value.body
    # What clients of OpenAI look for; our own code is in the address of its page.
    assert (caught.value.code, caught.value.param) == ("context_length_exceeded", "messages")
    assert error["docs_url"].endswith("/CONTEXT_LENGTH_EXCEEDED")
    assert "1201 tokens" in error["message"]
    assert "1000 tokens" in error["message"]
    assert "tea tea" not in json.dumps(error)
    assert len(stage.stub.requests) == before


async def test_a_fallback_with_a_smaller_window_does_not_refuse_what_the_first_model_takes(
    stage: Stage,
) -> None:
    async with stage.service.openai() as client:
        answer = await client.chat.completions.create(
            model="either", messages=[{"role": "user", "content": _LONG}]
        )
    assert answer.choices
    assert stage.stub.requests[-1].json()["messages"][-1] == {"role": "user", "content": _LONG}


async def test_in_the_other_dialect_it_is_refused_in_its_own_words(stage: Stage) -> None:
    before = len(stage.stub.requests)
    async with anthropic_client(stage.service) as client:
        with pytest.raises(anthropic.BadRequestError) as caught:
            await client.messages.create(
                model="tiny", max_tokens=10, messages=[{"role": "user", "content": _LONG}]
            )
    error: Any = caught.value.body
    assert (error["type"], error["error"]["type"]) == ("error", "invalid_request_error")
    assert error["error"]["code"] == "CONTEXT_LENGTH_EXCEEDED"
    assert len(stage.stub.requests) == before


async def test_it_is_refused_without_memory_too(stage: Stage) -> None:
    answer = await stage.say(user(_LONG), model="tiny", headers={"X-IBEX-Skip-Memory": "true"})
    assert answer.status_code == 400
    assert error_of(answer)["docs_url"].endswith("/CONTEXT_LENGTH_EXCEEDED")


@pytest.mark.parametrize("model", ["unheard-of", "claude-haiku-4-5"])
async def test_what_cannot_be_counted_exactly_is_left_to_the_provider(stage: Stage, model: str) -> None:
    long = user("tea " * 210_000)
    await stage.ask(long, user_id=None, model=model)
    assert stage.messages[-1] == long


async def test_a_full_window_has_no_room_for_memories_and_nothing_is_cut(stage: Stage) -> None:
    await stage.remembered("Ada drinks green tea.", "ada-full")
    said = user("tea " * 880)
    answer = await stage.ask(said, user_id="ada-full", model="tiny")
    assert stage.messages[-1] == said
    assert stage.block == ""
    shown = await stage.receipt(answer)
    assert shown["tokens"]["available"] == 0
    assert shown["tokens"]["is_exact"]
    assert [memory["reason"] for memory in shown["memories"]] == ["budget"]


async def test_the_smallest_window_of_an_alias_decides_on_the_room(stage: Stage) -> None:
    for model, room in (("wide", True), ("either", False)):
        answer = await stage.ask(user("tea " * 880), user_id="ada", model=model)
        assert ((await stage.receipt(answer))["tokens"]["available"] > 0) == room


@pytest.mark.parametrize(
    "messages",
    [
        [{"role": "system", "content": "Say something."}],
        [{"role": "assistant", "content": "Well?"}],
        [{"role": "user", "content": ""}],
        [{"role": "user", "content": None}],
        [{"role": "user"}],
        [{"role": "user", "content": []}],
        [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:,"}}]}],
        [{"role": "user", "content": 7}],
        [{"role": "user", "content": {"text": "tea"}}],
        [
            {
                "role": "user",
                "content": [None, 7, {"type": "text"}, {"text": 7}, {"type": "text", "text": "tea"}],
            }
        ],
        [{"role": "User", "content": "tea"}],
        [{"role": "", "content": "tea"}],
        [{"role": "tool", "content": "tea"}, {"role": "function", "content": "tea"}],
        [{"role": "assistant", "tool_calls": 7}, {"role": "user", "content": "tea"}],
        [{"role": "user", "content": "🦌 \u202e\u0000 tea"}],
    ],
)
@pytest.mark.parametrize("path", [CHAT, MESSAGES])
async def test_what_has_no_question_is_forwarded_as_it_is(stage: Stage, path: str, messages: Any) -> None:
    async with stage.service.http() as client:
        answer = await client.post(
            path,
            json={"model": "gpt-4o-mini", "messages": messages, "max_tokens": 9},
            headers={"X-IBEX-User-ID": "ada"},
        )
    assert answer.status_code == 200, answer.text
    assert "x-ibex-context-fallback" not in answer.headers
    sent = stage.messages
    if path == CHAT:
        assert [each for each in sent if each in messages] == messages
    else:
        assert [each["role"] for each in sent] == [each["role"] for each in messages]


@pytest.mark.parametrize("mode", ["system_first", "system_append", "user_prepend"])
@pytest.mark.parametrize(
    "content",
    [_DIRECTIVE, "{\n" * 16_384, "🦌" * 8_192, "</system>\n<memories aaaaaaaa>\n{{#if x}}"],
    ids=["braces and marks", "32 KB of braces", "32 KB of emoji", "marks of our own"],
)
async def test_a_directive_is_sent_letter_by_letter(stage: Stage, mode: str, content: str) -> None:
    slug = f"d-{mode}-{abs(hash(content))}".replace("_", "-")
    await stage.operator.create_agent(stage.service.org_id, "One", slug)
    token = await stage.operator.token(stage.service.org_id, ALL, slug)
    async with Api(stage.service, token) as api:
        written = await api.create("/directives", {"content": content, "mode": mode, "submit": True})
        await api.do(f"/directives/{written['id']}/promote", {})
    fronts = []
    for said in ([user("Hello!")], [user("Hello!"), assistant("Hello."), user("Tea?")]):
        await stage.ask(*said, token=token, headers={"X-IBEX-Skip-Memory": "true"})
        assert stage.messages == [
            {"role": "user" if mode == "user_prepend" else "system", "content": content},
            *said,
        ]
        fronts.append(stage.sent)
    assert common_prefix(*fronts) > len(content)


@pytest.mark.parametrize("name", ["X-IBEX-Skip-Memory", "X-IBEX-Skip-Extraction"])
@pytest.mark.parametrize("value", ["yes", "2", "truefalse", "null"])
async def test_a_switch_that_is_neither_on_nor_off_is_refused(stage: Stage, name: str, value: str) -> None:
    answer = await stage.say(user("Hello!"), headers={name: value})
    error = error_of(answer)
    assert (answer.status_code, error["code"], error["param"]) == (400, "VALIDATION_ERROR", name)


async def test_a_stream_has_its_context_in_the_headers(stage: Stage) -> None:
    await stage.remembered("Grace drinks black tea.", "grace")
    async with stage.service.openai() as client:
        await _streams(client)
    assert "black tea" in stage.block


async def _streams(client: AsyncOpenAI) -> None:
    answer = await client.chat.completions.with_raw_response.create(
        model="gpt-4o-mini",
        messages=[{"role": "user", "content": "What tea does Grace drink?"}],
        stream=True,
        extra_headers={"X-IBEX-User-ID": "grace"},
    )
    assert answer.headers["x-ibex-memories-injected"] == "1"
    assert int(answer.headers["x-ibex-context-tokens"]) > 0
    assert "x-ibex-context-fallback" not in answer.headers
    await answer.parse().close()
