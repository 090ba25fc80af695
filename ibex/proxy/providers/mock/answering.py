"""What the mock says: an echo that quotes the context it was given."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import orjson

from ibex.proxy.providers.mock.json_schema import example
from ibex.proxy.providers.mock.quoting import is_question, relevant_sentences
from ibex.proxy.providers.mock.requests import ChatRequest, Message
from ibex.proxy.providers.mock.tool_calls import ToolCall, tool_calls

OPENING: Final = "This is IBEX's built-in mock model; no provider is configured."

_MOST_QUOTES = 3
# An answer is made `n` times over, so it must not grow with the request.
_LONGEST_QUOTE = 4_000
_WORD = re.compile(r"\S+\s*")
_ATTACHMENTS = {
    "image_url": "image",
    "image": "image",
    "input_audio": "audio clip",
    "file": "file",
    "document": "document",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What one choice says: either text or tool calls. `stopped_at` is the stop sequence it ran into."""

    text: str
    tool_calls: tuple[ToolCall, ...]
    finish_reason: Literal["stop", "length", "tool_calls"]
    stopped_at: str | None = None


def answer(request: ChatRequest) -> Answer:
    called = tool_calls(request)
    if called:
        return Answer("", called, "tool_calls")
    text, stopped_at = _up_to_stop(_text(request), request.stop or ())
    words = split_words(text)
    if request.longest_answer is not None and len(words) > request.longest_answer:
        return Answer("".join(words[: request.longest_answer]).rstrip(), (), "length")
    return Answer(text, (), "stop", stopped_at)


def split_words(text: str) -> list[str]:
    """The mock's tokens: words, each with the space after it."""
    return _WORD.findall(text)


def _text(request: ChatRequest) -> str:
    shape = request.response_format
    if shape is not None and shape.type == "json_schema" and shape.json_schema is not None:
        schema = {"type": "object", **(shape.json_schema.definition or {})}
        return orjson.dumps(example(shape.json_schema.name, schema)).decode()
    results, quotes = _tool_results(request.messages), _quotes(request)
    if shape is not None and shape.type == "json_object":
        return orjson.dumps(
            {
                "note": OPENING,
                "you_said": _clipped(request.question.text) if request.question else None,
                "tool_results": [result for _, result in results],
                "from_context": quotes,
            }
        ).decode()
    if results:
        return " ".join([OPENING, *(f'The tool {name} answered: "{result}"' for name, result in results)])
    return f"{OPENING} {_said(request.question)}{_quoted(quotes)}"


def _tool_results(messages: list[Message]) -> list[tuple[str, str]]:
    """The name of the tool and what it answered, for each of the results at the end."""
    names = {
        call.id: call.function.name
        for message in messages
        for call in message.tool_calls or ()
        if call.function is not None
    }
    results: list[tuple[str, str]] = []
    for message in reversed(messages):
        if message.role != "tool":
            break
        call_id = message.tool_call_id or ""
        results.append((names.get(call_id, call_id), _clipped(message.text)))
    return results[::-1]


def _quotes(request: ChatRequest) -> list[str]:
    question = request.question
    if question is None or not is_question(question.text):
        return []
    context = [
        message.text
        for message in request.messages
        # What the mock said before quotes this same context.
        if message is not question and not (message.role == "assistant" and message.text.startswith(OPENING))
    ]
    return [_clipped(quote) for quote in relevant_sentences(question.text, context, _MOST_QUOTES)]


def _said(question: Message | None) -> str:
    if question is None:
        return "There is no message of a user to answer."
    counts = Counter(_ATTACHMENTS.get(kind, "other part") for kind in question.attachments)
    attached = [f"{count} {kind}{'s' if count > 1 else ''}" for kind, count in counts.items()]
    if question.text or not attached:
        said = " and ".join([f'You said: "{_clipped(question.text)}"', *attached])
        return f"{said}." if attached else said
    return f"You sent {' and '.join(attached)}."


def _quoted(quotes: list[str]) -> str:
    if not quotes:
        return ""
    return " From the context I was given: " + " ".join(f'"{quote}"' for quote in quotes)


def _clipped(text: str) -> str:
    return text if len(text) <= _LONGEST_QUOTE else text[: _LONGEST_QUOTE - 1] + "…"


def _up_to_stop(text: str, sequences: Sequence[str]) -> tuple[str, str | None]:
    """What comes before the first of the sequences, and which one that is."""
    found = [(text.find(sequence), sequence) for sequence in sequences if sequence and sequence in text]
    if not found:
        return text, None
    end, sequence = min(found)
    return text[:end], sequence
