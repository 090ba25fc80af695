"""The built-in provider gives OpenAI's shapes, shows its context, and says what it heard."""

import orjson
import pytest

from tests.proxy.providers.asking_the_mock import OPENING, chat, chat_body, receive, text_of


async def test_it_says_what_it_is_and_what_it_heard() -> None:
    completion = await chat("Grüezi 🦌")
    assert completion.choices[0].message.content == f'{OPENING} You said: "Grüezi 🦌"'
    assert completion.choices[0].finish_reason == "stop"
    assert completion.model == "gpt-4o"
    assert completion.usage is not None
    assert (completion.usage.prompt_tokens, completion.usage.completion_tokens) == (2, 14)
    assert completion.usage.total_tokens == 16


async def test_a_question_is_answered_with_the_sentences_that_share_its_words() -> None:
    memories = (
        '<memories nonce="x7">\n- The user\'s dog is called Rex.\n- Anna lives in Zürich. She likes tea.\n'
        "- What is the dog called?\n</memories>"
    )
    said = await text_of({"role": "system", "content": memories}, "What is my dog called, and where is ANNA?")
    assert said.endswith(
        'From the context I was given: "The user\'s dog is called Rex." "Anna lives in Zürich."'
    )
    assert await text_of({"role": "system", "content": memories}, "My dog sleeps.") == (
        f'{OPENING} You said: "My dog sleeps."'
    )
    assert "From the context" not in await text_of({"role": "system", "content": memories}, "Why?")


async def test_it_quotes_earlier_turns_but_not_its_own_echo() -> None:
    fact, question = "I moved to Bern in May.", "Which city did I move to? Was it Bern?"
    first_answer = await text_of(fact)
    assert fact in first_answer
    said = await text_of(fact, {"role": "assistant", "content": first_answer}, question)
    assert said == f'{OPENING} You said: "{question}" From the context I was given: "{fact}"'


async def test_it_quotes_three_sentences_at_most_and_the_best_first() -> None:
    context = "Tea is hot.\nTea is green.\nTea is old.\nTea is grown in Assam."
    newer = {"role": "assistant", "content": "Tea sells."}
    question = "Is tea grown in Assam, or old?"
    said = await text_of({"role": "developer", "content": context}, newer, question)
    assert said.endswith('"Tea is grown in Assam." "Tea is old." "Tea sells."')


async def test_parts_that_are_not_text_are_counted() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:,"}}
    text = {"type": "text", "text": "Look."}
    assert (await text_of({"role": "user", "content": [text, image]})).endswith(
        'You said: "Look." and 1 image.'
    )
    assert (await text_of({"role": "user", "content": [image, image]})).endswith("You sent 2 images.")


async def test_an_answer_does_not_grow_with_the_request() -> None:
    assert len(await text_of("word " * 100_000)) < 5_000


@pytest.mark.parametrize("include_usage", [True, False])
async def test_a_stream_is_the_same_answer_in_pieces(include_usage: bool) -> None:
    body = chat_body("one two", stream=True, stream_options={"include_usage": include_usage})
    received = await receive(body)
    assert received.headers.get("content-type") == "text/event-stream; charset=utf-8"
    events = received.events
    choices = [event.choices[0] for event in events if event.choices]
    assert choices[0].delta.role == "assistant"
    assert choices[0].delta.content == ""
    words = [choice.delta.content or "" for choice in choices[1:-1]]
    assert "".join(words) == await text_of("one two")
    assert words[-2:] == ['"one ', 'two"']
    assert [choice.finish_reason for choice in choices if choice.finish_reason] == ["stop"]
    assert choices[-1].delta.content is None
    without_choices = [event for event in events if not event.choices]
    assert without_choices == (events[-1:] if include_usage else [])
    if include_usage:
        assert events[-1].usage == (await chat("one two")).usage
    assert (b'"usage"' in received.chunks[0]) is include_usage
    assert len({(event.id, event.created, event.model) for event in events}) == 1


async def test_choices_limits_and_stop_sequences() -> None:
    completion = await chat("hello", n=3, max_completion_tokens=4)
    assert [choice.index for choice in completion.choices] == [0, 1, 2]
    assert {choice.message.content for choice in completion.choices} == {"This is IBEX's built-in"}
    assert {choice.finish_reason for choice in completion.choices} == {"length"}
    assert completion.usage is not None
    assert completion.usage.completion_tokens == 12
    stopped = (await chat("hello", stop=["model", "hello"])).choices[0]
    assert (stopped.message.content, stopped.finish_reason) == ("This is IBEX's built-in mock ", "stop")
    assert (await chat("hello", max_tokens=500, stop="absent")).choices[0].finish_reason == "stop"


async def test_json_is_answered_where_json_is_asked_for() -> None:
    system = {"role": "system", "content": "The launch is on Friday."}
    asked_object = await text_of(system, "When is the launch?", response_format={"type": "json_object"})
    assert orjson.loads(asked_object)["from_context"] == ["The launch is on Friday."]
    schema = {"type": "object", "properties": {"day": {"type": "string"}}, "required": ["day"]}
    asked_schema = await text_of(
        "hi", response_format={"type": "json_schema", "json_schema": {"name": "plan", "schema": schema}}
    )
    assert orjson.loads(asked_schema) == {"day": "day"}
