"""The official client, which does not know that it talks to IBEX."""

import json
from typing import Any

import pytest

from tests.end_to_end.instance import Instance
from tests.providers import behaviours
from tests.providers.payloads import ANSWER, CHUNKS
from tests.providers.threaded import ThreadedStub

HELLO: Any = [{"role": "user", "content": "Hello!"}]
WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
            "additionalProperties": False,
        },
    },
}


@pytest.mark.parametrize(("model", "answer"), [("mock", "Hello!"), ("stub-model", ANSWER)])
def test_an_answer(shared: Instance, model: str, answer: str) -> None:
    with shared.openai() as client:
        completion = client.chat.completions.create(model=model, messages=HELLO)
    assert answer in (completion.choices[0].message.content or "")
    assert completion.usage is not None
    assert completion.usage.total_tokens > 0


def test_a_stream_has_every_chunk_of_the_provider(shared: Instance) -> None:
    with (
        shared.openai() as client,
        client.chat.completions.create(
            model="stub-model", messages=HELLO, stream=True, stream_options={"include_usage": True}
        ) as stream,
    ):
        chunks = list(stream)
    assert len(chunks) == CHUNKS
    assert chunks[-1].usage is not None


def test_the_streaming_helper_gathers_what_the_mock_says(shared: Instance) -> None:
    with (
        shared.openai() as client,
        client.chat.completions.stream(model="mock", messages=HELLO) as stream,
    ):
        deltas = [event.delta for event in stream if event.type == "content.delta"]
        final = stream.get_final_completion()
    assert "".join(deltas) == final.choices[0].message.content


async def test_the_asynchronous_client(shared: Instance) -> None:
    async with shared.async_openai() as client:
        completion = await client.chat.completions.create(model="stub-model", messages=HELLO)
        stream = await client.chat.completions.create(model="mock", messages=HELLO, stream=True)
        pieces = [chunk.choices[0].delta.content or "" async for chunk in stream]
    assert completion.choices[0].message.content == ANSWER
    assert "Hello!" in "".join(pieces)


def test_a_tool_call_and_its_result_with_the_mock(shared: Instance) -> None:
    messages: Any = [{"role": "user", "content": "What is the weather in Paris?"}]
    with shared.openai() as client:
        asked = client.chat.completions.create(
            model="mock", messages=messages, tools=[WEATHER], tool_choice="required"
        )
        assert asked.choices[0].finish_reason == "tool_calls"
        call: Any = (asked.choices[0].message.tool_calls or [])[0]
        assert call.function.name == "get_weather"
        assert "city" in json.loads(call.function.arguments)
        messages += [
            asked.choices[0].message.model_dump(),
            {"role": "tool", "tool_call_id": call.id, "content": "It is sunny in Paris."},
        ]
        told = client.chat.completions.create(model="mock", messages=messages, tools=[WEATHER])
    assert "sunny" in (told.choices[0].message.content or "")


def test_streamed_tool_calls_of_a_provider_keep_their_order(shared: Instance, stub: ThreadedStub) -> None:
    stub.on("stub-tools", behaviours.fidelity)
    arguments: dict[int, str] = {}
    names: dict[int, str] = {}
    with (
        shared.openai() as client,
        client.chat.completions.create(model="stub-tools", messages=HELLO, stream=True) as stream,
    ):
        for chunk in stream:
            for call in (chunk.choices[0].delta.tool_calls or []) if chunk.choices else []:
                assert call.function is not None
                names.setdefault(call.index, call.function.name or "")
                arguments[call.index] = arguments.get(call.index, "") + (call.function.arguments or "")
    assert names == {0: "get_weather", 1: "get_time"}
    assert arguments == {0: '{"city":"Paris"}', 1: "{}"}


def test_fields_that_ibex_does_not_know_reach_the_provider(shared: Instance, stub: ThreadedStub) -> None:
    seen = len(stub.requests)
    with shared.openai() as client:
        client.chat.completions.create(
            model="stub-model", messages=HELLO, extra_body={"vendor_field": {"deep": [1, None]}}
        )
    assert stub.requests[seen].json()["vendor_field"] == {"deep": [1, None]}
    assert stub.requests[seen].header("authorization") == "Bearer sk-upstream-0123456789"


def test_headers_tell_what_was_done(shared: Instance) -> None:
    with shared.openai() as client:
        raw = client.chat.completions.with_raw_response.create(
            model="mock", messages=HELLO, extra_headers={"X-IBEX-Session-ID": "conversation-7"}
        )
    assert raw.headers["x-ibex-session-id"] == "conversation-7"
    assert int(raw.headers["x-ratelimit-limit"]) == 60
    assert raw.headers["x-request-id"]
    assert float(raw.headers["x-ibex-overhead-ms"]) >= 0


def test_embeddings(shared: Instance) -> None:
    with shared.openai() as client:
        found = client.embeddings.create(
            model="text-embedding-3-small", input=["one", "two"], dimensions=64, encoding_format="float"
        )
        provided = client.embeddings.create(model="stub-embedding", input="one", encoding_format="float")
    assert [len(item.embedding) for item in found.data] == [64, 64]
    assert provided.data[0].embedding == [0.5, -0.25, 0.0, 1.0]


async def test_models(shared: Instance) -> None:
    async with shared.async_openai() as client:
        listed = [model.id async for model in client.models.list()]
    assert "mock" in listed
