"""Messages in Anthropic's shapes, whole and as server-sent events."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from ibex.proxy.providers.mock.answering import Answer, answer, split_words
from ibex.proxy.providers.mock.completions import fragments
from ibex.proxy.providers.mock.conversations import MessagesRequest
from ibex.proxy.providers.mock.requests import ChatRequest

_STOP_REASONS: Mapping[Literal["stop", "length", "tool_calls"], str] = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
}


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to one request; `digest` is what its ids are made of."""

    request: ChatRequest
    answer: Answer
    digest: str

    def head(self) -> dict[str, Any]:
        return {
            "id": f"msg_{self.digest[:24]}",
            "type": "message",
            "role": "assistant",
            "model": self.request.model,
        }

    def blocks(self) -> list[dict[str, Any]]:
        if not self.answer.tool_calls:
            return [{"type": "text", "text": self.answer.text}]
        return [
            {
                "type": "tool_use",
                "id": f"toolu_{hashlib.sha256(f'{self.digest}/{position}'.encode()).hexdigest()[:24]}",
                "name": call.name,
                "input": orjson.loads(call.arguments),
            }
            for position, call in enumerate(self.answer.tool_calls)
        ]

    def end(self) -> dict[str, Any]:
        stopped_at = self.answer.stopped_at
        reason = _STOP_REASONS[self.answer.finish_reason] if stopped_at is None else "stop_sequence"
        return {"stop_reason": reason, "stop_sequence": stopped_at}

    def usage(self) -> dict[str, int]:
        """Counted in words."""
        spoken = [self.answer.text, *(f"{call.name} {call.arguments}" for call in self.answer.tool_calls)]
        return {
            "input_tokens": sum(len(message.text.split()) for message in self.request.messages),
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "output_tokens": sum(len(text.split()) for text in spoken),
        }


def reply(request: MessagesRequest, body: bytes) -> Iterator[bytes]:
    """The chunks of the answer: one JSON body, or as many events as the stream has."""
    chat = request.as_chat()
    said = Reply(chat, answer(chat), hashlib.sha256(body).hexdigest())
    return _events(said) if request.stream else iter([orjson.dumps(_whole(said))])


def _whole(said: Reply) -> dict[str, Any]:
    return {**said.head(), "content": said.blocks(), **said.end(), "usage": said.usage()}


def _events(said: Reply) -> Iterator[bytes]:
    usage = said.usage()
    nothing_yet: dict[str, Any] = {"content": [], "stop_reason": None, "stop_sequence": None}
    started = {**usage, "output_tokens": min(usage["output_tokens"], 1)}
    yield _event("message_start", message={**said.head(), **nothing_yet, "usage": started})
    yield _event("ping")
    for index, block in enumerate(said.blocks()):
        is_text = block["type"] == "text"
        empty = {**block, "text": ""} if is_text else {**block, "input": {}}
        yield _event("content_block_start", index=index, content_block=empty)
        for delta in _text(block["text"]) if is_text else _input(block["input"]):
            yield _event("content_block_delta", index=index, delta=delta)
        yield _event("content_block_stop", index=index)
    yield _event("message_delta", delta=said.end(), usage={"output_tokens": usage["output_tokens"]})
    yield _event("message_stop")


def _text(text: str) -> Iterator[dict[str, str]]:
    return ({"type": "text_delta", "text": word} for word in split_words(text))


def _input(given: object) -> Iterator[dict[str, str]]:
    return (
        {"type": "input_json_delta", "partial_json": part} for part in fragments(orjson.dumps(given).decode())
    )


def _event(kind: str, **fields: object) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), orjson.dumps({"type": kind, **fields}))
