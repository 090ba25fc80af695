"""Requests to the built-in provider, and its answers read to the end."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.shared import ErrorObject

from ibex.proxy.providers.base import Provider, ProviderRequest, ProviderResponse
from ibex.proxy.providers.mock import MockProvider

OPENING = "This is IBEX's built-in mock model; no provider is configured."


@dataclass(frozen=True)
class Received:
    """An answer that was read to its end."""

    status: int
    headers: Mapping[str, str]
    chunks: list[bytes]

    @property
    def body(self) -> bytes:
        return b"".join(self.chunks)

    @property
    def events(self) -> list[ChatCompletionChunk]:
        *events, done = self.chunks
        assert done == b"data: [DONE]\n\n"
        return [
            ChatCompletionChunk.model_validate_json(event.removeprefix(b"data: "), strict=True)
            for event in events
        ]

    @property
    def completion(self) -> ChatCompletion:
        return ChatCompletion.model_validate_json(self.body, strict=True)

    @property
    def error(self) -> ErrorObject:
        return ErrorObject.model_validate(orjson.loads(self.body)["error"])


def send(body: bytes, path: str = "/chat/completions") -> "asyncio.Task[ProviderResponse]":
    provider: Provider = MockProvider()
    request = ProviderRequest(path, body, "mock", streams=False)
    return asyncio.ensure_future(provider.send(request))


async def receive(body: bytes, path: str = "/chat/completions") -> Received:
    response = await send(body, path)
    chunks = []
    while chunk := await response.read_chunk():
        chunks.append(chunk)
    response.close()
    return Received(response.status, response.headers, chunks)


def chat_body(*messages: str | dict[str, Any], **fields: Any) -> bytes:
    said = [{"role": "user", "content": m} if isinstance(m, str) else m for m in messages]
    return orjson.dumps({"model": "gpt-4o", "messages": said, **fields})


async def chat(*messages: str | dict[str, Any], **fields: Any) -> ChatCompletion:
    received = await receive(chat_body(*messages, **fields))
    assert received.status == 200, received.body
    return received.completion


async def text_of(*messages: str | dict[str, Any], **fields: Any) -> str:
    return (await chat(*messages, **fields)).choices[0].message.content or ""
