"""The built-in provider calls the tools that are named, as OpenAI would."""

from typing import Any

import orjson
import pytest
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletion, ChatCompletionMessageFunctionToolCall

from tests.proxy.providers.asking_the_mock import OPENING, chat, chat_body, receive, text_of

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string"},
                "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]},
                "days": {"type": "integer"},
                "wind": {"type": "number"},
                "alerts": {"type": "boolean"},
                "hours": {"type": "array", "items": {"type": "integer"}},
                "place": {"$ref": "#/$defs/Place"},
                "note": {"type": "string"},
            },
            "required": ["city", "unit", "days", "wind", "alerts", "hours", "place"],
            "$defs": {
                "Place": {
                    "type": "object",
                    "properties": {"name": {"anyOf": [{"type": "string"}, {"type": "null"}]}},
                    "required": ["name"],
                }
            },
        },
    },
}
CLOCK = {"type": "function", "function": {"name": "clock"}}


@pytest.mark.parametrize(
    ("text", "fields", "called"),
    [
        ("Please use get_weather.", {}, ["get_weather"]),
        ("get_weather, then the CLOCK", {}, ["get_weather", "clock"]),
        ("get_weather, then clock", {"parallel_tool_calls": False}, ["get_weather"]),
        ("get_weather2 clocks", {}, []),
        ("hello", {"tool_choice": "required"}, ["get_weather"]),
        ("hello", {"tool_choice": {"type": "function", "function": {"name": "clock"}}}, ["clock"]),
        ("Use get_weather", {"tool_choice": "none"}, []),
    ],
)
async def test_it_calls_the_tools_that_are_named(
    text: str, fields: dict[str, Any], called: list[str]
) -> None:
    choice = (await chat(text, tools=[WEATHER, CLOCK], **fields)).choices[0]
    calls = choice.message.tool_calls or []
    assert [call.function.name for call in calls if call.type == "function"] == called
    assert choice.finish_reason == ("tool_calls" if called else "stop")
    assert (choice.message.content is None) is bool(called)


async def test_arguments_have_the_required_properties_in_their_types() -> None:
    [call] = (await chat("get_weather", tools=[WEATHER])).choices[0].message.tool_calls or []
    assert isinstance(call, ChatCompletionMessageFunctionToolCall)
    assert orjson.loads(call.function.arguments) == {
        "city": "city",
        "unit": "celsius",
        "days": 1,
        "wind": 1.5,
        "alerts": True,
        "hours": [1],
        "place": {"name": "name"},
    }


async def test_a_schema_that_refers_to_itself_many_times_over_still_ends() -> None:
    names = [f"p{number}" for number in range(10)]
    reference = {"$ref": "#/$defs/Node"}
    node = {"type": "object", "properties": dict.fromkeys(names, reference), "required": names}
    tool = {"name": "tree", "parameters": {**node, "$defs": {"Node": node}}}
    [call] = (await chat("tree", tools=[{"type": "function", "function": tool}])).choices[
        0
    ].message.tool_calls or []
    assert isinstance(call, ChatCompletionMessageFunctionToolCall)
    assert len(call.function.arguments) < 20_000


async def test_streamed_tool_calls_are_assembled_by_the_official_client() -> None:
    fields: dict[str, Any] = {"tools": [WEATHER, CLOCK], "n": 2}
    received = await receive(chat_body("get_weather and clock", stream=True, **fields))
    openings = [
        call
        for event in received.events
        for call in event.choices[0].delta.tool_calls or ()
        if call.id is not None
    ]
    assert all(call.function and call.function.arguments == "" for call in openings)
    state: ChatCompletionStreamState[None] = ChatCompletionStreamState()
    for event in received.events:
        state.handle_chunk(event)
    streamed = state.get_final_completion()
    whole = await chat("get_weather and clock", **fields)

    def spoken(completion: ChatCompletion) -> list[list[tuple[str, str]]]:
        return [
            [
                (call.function.name, call.function.arguments)
                for call in choice.message.tool_calls or ()
                if call.type == "function"
            ]
            for choice in completion.choices
        ]

    assert spoken(streamed) == spoken(whole)
    assert len({call.id for choice in whole.choices for call in choice.message.tool_calls or ()}) == 4


async def test_the_result_of_a_tool_is_told_even_where_a_call_is_required() -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": "{}"}}
    said = await text_of(
        "get_weather",
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "sunny, 21°"},
        tools=[WEATHER],
        tool_choice="required",
    )
    assert said == f'{OPENING} The tool get_weather answered: "sunny, 21°"'
