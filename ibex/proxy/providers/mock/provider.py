"""The mock as a provider: its paths, and the models that misbehave on request."""

import asyncio
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from multidict import CIMultiDict

from ibex.errors import Dialect
from ibex.proxy.providers.base import ProviderRequest
from ibex.proxy.providers.mock.completions import CREATED, complete
from ibex.proxy.providers.mock.conversations import MessagesRequest
from ibex.proxy.providers.mock.embeddings import embed
from ibex.proxy.providers.mock.errors import InvalidRequestError, refusal, requested_error, unknown_path
from ibex.proxy.providers.mock.messages import reply
from ibex.proxy.providers.mock.requests import ChatRequest, EmbeddingsRequest, parse
from ibex.proxy.providers.mock.response import EVENT_STREAM, JSON, MockResponse, broken_off

_ERROR_MODEL = re.compile(r"mock-error-([45][0-9]{2})")
# Seconds before each chunk of `mock-slow`.
_SLOW_PAUSE = 0.05


class MockProvider:
    """Answers in process, by any model name; the same request has the same answer, byte for byte.

    Some model names ask for trouble: `mock-error-<status>` answers that status (400 to 599), `mock-slow`
    pauses before each chunk, `mock-break` loses the connection in the middle, `mock-hang` never answers.
    """

    def __init__(self, name: str = "mock") -> None:
        self._name = name

    async def send(self, request: ProviderRequest) -> MockResponse:
        try:
            if request.path == "/chat/completions":
                chat = parse(ChatRequest, request.body)
                return await _respond(chat.model, complete(chat, request.body), streams=bool(chat.stream))
            if request.path == "/embeddings":
                texts = parse(EmbeddingsRequest, request.body)
                return await _respond(texts.model, embed(texts), streams=False)
            if request.path == "/messages":
                asked = parse(MessagesRequest, request.body)
                chunks = reply(asked, request.body)
                return await _respond(asked.model, chunks, streams=bool(asked.stream), dialect="anthropic")
        except InvalidRequestError as error:
            return refusal(error, "anthropic" if request.path == "/messages" else "openai")
        return unknown_path(request.path)

    async def models(self) -> Sequence[Mapping[str, Any]]:
        return [{"id": "mock", "object": "model", "created": CREATED, "owned_by": self._name}]

    async def close(self) -> None:
        """Nothing is held open."""


async def _respond(
    model: str, chunks: Iterator[bytes], *, streams: bool, dialect: Dialect = "openai"
) -> MockResponse:
    """The answer with these chunks, unless the model is one that asks for trouble."""
    if (error := _ERROR_MODEL.fullmatch(model)) is not None:
        return requested_error(int(error[1]), dialect)
    if model == "mock-hang":
        await asyncio.Event().wait()
    if model == "mock-break":
        chunks = broken_off(chunks, streams=streams)
    headers = CIMultiDict({"Content-Type": EVENT_STREAM if streams else JSON})
    return MockResponse(200, headers, chunks, pause=_SLOW_PAUSE if model == "mock-slow" else 0.0)
