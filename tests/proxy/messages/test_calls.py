"""The official client of Anthropic's interface calls IBEX as it would call Anthropic."""

import json
from typing import Any

import httpx2
import pytest
from anthropic.types import MessageParam, TextBlock, ToolParam, ToolUseBlock

from tests.providers import messages, payloads
from tests.proxy.conftest import Standing
from tests.proxy.messages.asking import ANTHROPIC_ALONE, MESSAGES, MODEL, anthropic, asked
from tests.proxy.records import all_turns, turn
from tests.service import API_KEY

pytestmark = pytest.mark.asyncio(loop_scope="module")

SETTINGS = {**ANTHROPIC_ALONE, "aliases": {"quick": f"anthropic/{MODEL}"}}
SAYING_HELLO: list[MessageParam] = [{"role": "user", "content": "hello"}]
WEATHER: ToolParam = {
    "name": "get_weather",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}},
}


async def test_a_message_is_created(standing: Standing) -> None:
    async with anthropic(standing.service) as client:
        answer = await client.messages.create(model=MODEL, max_tokens=100, messages=SAYING_HELLO)
    [block] = answer.content
    assert isinstance(block, TextBlock)
    assert block.text == messages.ANSWER
    assert (answer.model, answer.stop_reason, answer.usage.input_tokens) == (MODEL, "end_turn", 21)
    sent = standing.stub.requests[-1]
    assert (sent.method, sent.path) == ("POST", "/v1/messages")
    assert sent.json() == asked()


async def test_a_message_is_streamed(standing: Standing) -> None:
    async with (
        anthropic(standing.service) as client,
        client.messages.stream(model=MODEL, max_tokens=100, messages=SAYING_HELLO) as stream,
    ):
        texts = [text async for text in stream.text_stream]
        message = await stream.get_final_message()
    assert "".join(texts) == messages.ANSWER
    assert (message.stop_reason, message.usage.output_tokens) == ("end_turn", messages.WRITTEN)


@pytest.mark.parametrize("header", ["api_key", "auth_token"])
async def test_the_token_goes_where_the_client_puts_it(
    standing: Standing, header: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    keys: dict[str, Any] = {"api_key": None, "auth_token": None, header: standing.service.token}
    async with anthropic(standing.service, **keys) as client:
        await client.messages.create(model=MODEL, max_tokens=100, messages=SAYING_HELLO)


async def test_the_provider_gets_its_own_key_and_what_the_interface_asks_for(standing: Standing) -> None:
    async with anthropic(standing.service) as client:
        await client.messages.create(model=MODEL, max_tokens=100, messages=SAYING_HELLO)
        version = client.default_headers["anthropic-version"]
    sent = standing.stub.requests[-1]
    assert (sent.header("x-api-key"), sent.header("authorization")) == (API_KEY, None)
    assert sent.header("anthropic-version") == version
    assert standing.service.token not in str(sent.headers)


async def test_a_version_and_betas_are_forwarded_and_nothing_else(standing: Standing) -> None:
    async with standing.service.http() as client:
        told = {"anthropic-version": "2099-01-01", "anthropic-beta": "a-1,b-2", "X-Mine": "secret"}
        assert (await client.post(MESSAGES, json=asked(), headers=told)).status_code == 200
        several = [*httpx2.Headers(told).multi_items(), ("anthropic-beta", "c-3")]
        assert (await client.post(MESSAGES, json=asked(), headers=several)).status_code == 200
        assert (await client.post(MESSAGES, json=asked())).status_code == 200
    *_, first, second, third = standing.stub.requests
    assert (first.header("anthropic-version"), first.header("anthropic-beta")) == ("2099-01-01", "a-1,b-2")
    assert first.header("x-mine") is None
    assert second.header("anthropic-beta") == "a-1,b-2,c-3"
    assert (third.header("anthropic-version"), third.header("anthropic-beta")) == ("2023-06-01", None)


async def test_the_beta_client_works_too(standing: Standing) -> None:
    async with anthropic(standing.service) as client:
        answer = await client.beta.messages.create(
            model=MODEL, max_tokens=100, messages=[{"role": "user", "content": "hello"}], betas=["a-1", "b-2"]
        )
    assert answer.stop_reason == "end_turn"
    assert standing.stub.requests[-1].header("anthropic-beta") == "a-1,b-2"


async def test_what_ibex_does_not_know_is_forwarded_untouched(standing: Standing) -> None:
    standing.stub.on_messages("tooling", messages.tool_use)
    fields = {
        "system": [{"type": "text", "text": "Be kind.", "cache_control": {"type": "ephemeral"}}],
        "messages": [
            {
                "role": "user",
                "content": [{"type": "text", "text": "Weather?"}, {"type": "image", "source": {}}],
            },
            {
                "role": "assistant",
                "content": [
                    {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {"n": 1.0}}
                ],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "toolu_1", "content": "Rain", "is_error": False}
                ],
            },
        ],
        "tools": [WEATHER, {"type": "web_search_20250305", "name": "web_search"}],
        "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
        "thinking": {"type": "enabled", "budget_tokens": 1_024},
        "max_tokens": "many",
        "x_vendor": {"deep": [1, None, {"a": 1e-7}]},
    }
    async with standing.service.http() as client:
        answer = await client.post(MESSAGES, json=asked("tooling", **fields))
    assert answer.content == payloads.encode(messages.tool_message("tooling"))
    assert standing.stub.requests[-1].json() == asked("tooling", **fields)


async def test_calls_of_tools_are_assembled_by_the_official_client(standing: Standing) -> None:
    standing.stub.on_messages("tooling", messages.tool_use)
    async with anthropic(standing.service) as client:
        whole = await client.messages.create(
            model="tooling", max_tokens=100, messages=SAYING_HELLO, tools=[WEATHER]
        )
        async with client.messages.stream(
            model="tooling", max_tokens=100, messages=SAYING_HELLO, tools=[WEATHER]
        ) as stream:
            streamed = await stream.get_final_message()
    for answer in (whole, streamed):
        assert answer.stop_reason == "tool_use"
        call = answer.content[-1]
        assert isinstance(call, ToolUseBlock)
        assert json.loads(json.dumps(call.input))["city"] == "東京"


@pytest.mark.parametrize("stream", [True, False])
async def test_a_call_leaves_a_turn_with_everything_it_cost(standing: Standing, stream: bool) -> None:
    session = f"cost-{stream}"
    async with anthropic(standing.service) as client:
        answer = await client.messages.with_raw_response.create(
            model="quick",
            max_tokens=100,
            messages=SAYING_HELLO,
            metadata={"user_id": "grace"},
            stream=stream,
            extra_headers={"X-IBEX-Session-ID": session},
        )
        await answer.read()
    assert answer.headers["x-ibex-session-id"] == session
    row = await turn(standing.database, session)
    assert (row["operation"], row["provider"], row["user_id"]) == ("messages", "anthropic", "grace")
    assert (row["model"], row["model_served"], row["streamed"]) == ("quick", MODEL, stream)
    assert (row["status"], row["outcome"], row["finish_reason"]) == (200, "ok", "end_turn")
    counts = (row["usage_source"], row["input_tokens"], row["cached_tokens"], row["output_tokens"])
    assert counts == ("provider", messages.READ, messages.CACHED, messages.WRITTEN)


async def test_the_header_names_the_end_user_before_the_body_does(standing: Standing) -> None:
    async with standing.service.http() as client:
        headers = {"X-IBEX-User-ID": "ada", "X-IBEX-Session-ID": "of-ada"}
        await client.post(MESSAGES, json=asked(metadata={"user_id": "grace"}), headers=headers)
    assert (await turn(standing.database, "of-ada"))["user_id"] == "ada"


@pytest.mark.parametrize("metadata", [None, 7, [], {}, {"user_id": None}, {"user_id": 7}, {"user_id": ""}])
async def test_metadata_without_an_end_user_is_the_providers_to_judge(
    standing: Standing, metadata: object
) -> None:
    async with standing.service.http() as client:
        assert (await client.post(MESSAGES, json=asked(metadata=metadata))).status_code == 200
    assert standing.stub.requests[-1].json()["metadata"] == metadata


async def test_calls_are_counted_under_their_own_name(standing: Standing) -> None:
    before = standing.service.instruments.requests.total("messages", "200")
    async with standing.service.http() as client:
        await client.post(MESSAGES, json=asked())
    assert standing.service.instruments.requests.total("messages", "200") == before + 1


async def test_models_are_listed_with_those_of_an_anthropic_provider(standing: Standing) -> None:
    async with standing.service.http() as client:
        listed = (await client.get("/v1/models")).json()["data"]
    assert {"quick", "gpt-4o-mini"} <= {model["id"] for model in listed}
    asked_for = standing.stub.requests[-1]
    assert asked_for.path.startswith("/v1/models")
    assert asked_for.header("x-api-key") == API_KEY
    async with anthropic(standing.service) as client:
        assert {model.id async for model in client.models.list()} == {model["id"] for model in listed}


async def test_texts_are_not_stored(standing: Standing) -> None:
    async with standing.service.http() as client:
        body = asked(messages=[{"role": "user", "content": "the canary sings"}])
        await client.post(MESSAGES, json=body, headers={"X-IBEX-Session-ID": "canary"})
    await turn(standing.database, "canary")
    assert "canary sings" not in str(await all_turns(standing.database))
