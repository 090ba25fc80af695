"""Chat completions in OpenAI's shapes, whole and as server-sent events."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import orjson

from ibex.proxy.providers.mock.answering import Answer, answer, split_words
from ibex.proxy.providers.mock.requests import ChatRequest

# The same request has the same answer, so it cannot carry the time.
CREATED: Final = 1_735_689_600

_DONE = b"data: [DONE]\n\n"
_ARGUMENT_FRAGMENTS = 4


@dataclass(frozen=True, slots=True)
class Completion:
    """The answer to one request; `digest` is what its ids are made of."""

    request: ChatRequest
    answer: Answer
    digest: str

    @property
    def indices(self) -> range:
        return range(self.request.n or 1)

    def head(self, kind: str) -> dict[str, Any]:
        return {
            "id": f"chatcmpl-{self.digest[:32]}",
            "object": kind,
            "created": CREATED,
            "model": self.request.model,
        }

    def call_id(self, index: int, position: int) -> str:
        seed = f"{self.digest}/{index}/{position}"
        return f"call_{hashlib.sha256(seed.encode()).hexdigest()[:24]}"

    def usage(self) -> dict[str, Any]:
        """Counted in words."""
        prompt = sum(len(message.text.split()) for message in self.request.messages)
        spoken = [self.answer.text, *(f"{call.name} {call.arguments}" for call in self.answer.tool_calls)]
        completion = len(self.indices) * sum(len(text.split()) for text in spoken)
        return {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
            "prompt_tokens_details": {"cached_tokens": 0},
        }


def complete(request: ChatRequest, body: bytes) -> Iterator[bytes]:
    """The chunks of the answer: one JSON body, or as many events as the stream has."""
    completion = Completion(request, answer(request), hashlib.sha256(body).hexdigest())
    return _events(completion) if request.stream else iter([orjson.dumps(_whole(completion))])


def _whole(completion: Completion) -> dict[str, Any]:
    return {
        **completion.head("chat.completion"),
        "choices": [
            {
                "index": index,
                "message": _message(completion, index),
                "logprobs": None,
                "finish_reason": completion.answer.finish_reason,
            }
            for index in completion.indices
        ],
        "usage": completion.usage(),
    }


def _message(completion: Completion, index: int) -> dict[str, Any]:
    calls = completion.answer.tool_calls
    if not calls:
        return {"role": "assistant", "content": completion.answer.text, "refusal": None}
    return {
        "role": "assistant",
        "content": None,
        "refusal": None,
        "tool_calls": [
            {
                "id": completion.call_id(index, position),
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for position, call in enumerate(calls)
        ],
    }


def _events(completion: Completion) -> Iterator[bytes]:
    head = completion.head("chat.completion.chunk")
    # Where usage is asked for, every chunk has the field, and only the last a value.
    usage = {"usage": None} if completion.request.includes_usage else {}
    # Choices arrive interleaved, as they do from a provider that samples them side by side.
    for step in zip(*(_deltas(completion, index) for index in completion.indices), strict=True):
        for index, (delta, finish_reason) in enumerate(step):
            choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
            yield _event({**head, "choices": [choice], **usage})
    if usage:
        yield _event({**head, "choices": [], "usage": completion.usage()})
    yield _DONE


def _deltas(completion: Completion, index: int) -> Iterator[tuple[dict[str, Any], str | None]]:
    answer = completion.answer
    content = None if answer.tool_calls else ""
    yield {"role": "assistant", "content": content, "refusal": None}, None
    for word in split_words(answer.text):
        yield {"content": word}, None
    for position, call in enumerate(answer.tool_calls):
        opening = {
            "index": position,
            "id": completion.call_id(index, position),
            "type": "function",
            "function": {"name": call.name, "arguments": ""},
        }
        yield {"tool_calls": [opening]}, None
        for fragment in fragments(call.arguments):
            yield {"tool_calls": [{"index": position, "function": {"arguments": fragment}}]}, None
    yield {}, answer.finish_reason


def fragments(text: str) -> Iterable[str]:
    """A text in a few pieces, as it is streamed."""
    size = -(-len(text) // _ARGUMENT_FRAGMENTS)
    return (text[start : start + size] for start in range(0, len(text), size))


def _event(chunk: dict[str, Any]) -> bytes:
    return b"data: " + orjson.dumps(chunk) + b"\n\n"
