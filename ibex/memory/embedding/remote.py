"""An embedder behind any service that speaks OpenAI's `/v1/embeddings`, such as a self-hosted one."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray
from pydantic import SecretStr

from ibex.http1 import Answer, BrokenAnswerError, HttpClient, UnreachableError
from ibex.memory.embedding.embedder import EmbedderUnavailableError, EmbeddingModel
from ibex.memory.embedding.unit import as_unit_vectors

# A number in JSON has up to 25 characters, and an answer some words around its numbers.
_BYTES_PER_NUMBER = 32
_BYTES_AROUND = 64 << 10


@dataclass(frozen=True, slots=True)
class RemoteService:
    """Where the service is, and what is asked of it.

    Parameters
    ----------
    url: up to and including `/v1`. Redirects are not followed, because they would carry key and texts on.
    dimensions: of every vector; an answer with others is refused.
    batch: most texts of one request.
    concurrency: most requests at a time.
    connect_timeout: seconds for a connection.
    timeout: seconds for a request, from the wait for a connection to the end of the answer.
    """

    url: str
    model: str
    dimensions: int
    api_key: SecretStr | None = None
    batch: int = 32
    concurrency: int = 4
    connect_timeout: float = 2.0
    timeout: float = 10.0


class RemoteEmbedder:
    """Asks for vectors in batches, side by side. What an error says names neither key nor text."""

    def __init__(self, service: RemoteService, user_agent: str) -> None:
        self.model = EmbeddingModel(service.model, str(service.dimensions), service.dimensions)
        self._service = service
        self._client = HttpClient(
            service.url, connect_timeout=service.connect_timeout, connections=service.concurrency
        )
        headers = {
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "Content-Type": "application/json",
            "User-Agent": user_agent,
        }
        if service.api_key is not None:
            headers["Authorization"] = f"Bearer {service.api_key.get_secret_value()}"
        self._head = self._client.head("POST", "/embeddings", headers)

    async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """As `Embedder.embed`. The first batch that fails ends the others."""
        size = self._service.batch
        batches = [texts[start : start + size] for start in range(0, len(texts), size)]
        if not batches:
            return np.empty((0, self.model.dimensions), np.float32)
        tasks = [asyncio.create_task(self._ask(batch)) for batch in batches]
        try:
            return as_unit_vectors(np.concatenate(await asyncio.gather(*tasks)))
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def close(self) -> None:
        self._client.close()

    async def _ask(self, texts: Sequence[str]) -> NDArray[np.float32]:
        try:
            body = orjson.dumps({"model": self.model.name, "input": list(texts), "encoding_format": "float"})
        except orjson.JSONEncodeError:
            # A lone surrogate, which no text that came as JSON has.
            raise EmbedderUnavailableError("A text that is not Unicode cannot be sent.") from None
        try:
            async with asyncio.timeout(self._service.timeout):
                answer = await self._client.send(self._head, body)
                try:
                    content = await self._read(answer, len(texts))
                finally:
                    answer.close()
        except TimeoutError:
            raise EmbedderUnavailableError(
                f"The embedding service did not answer within {self._service.timeout:g} s."
            ) from None
        except UnreachableError as error:
            raise EmbedderUnavailableError(f"The embedding service cannot be reached ({error}).") from None
        except BrokenAnswerError as error:
            raise EmbedderUnavailableError(f"The embedding service broke off its answer ({error}).") from None
        if answer.status != 200:
            raise EmbedderUnavailableError(f"The embedding service answers with status {answer.status}.")
        return self._vectors(content, len(texts))

    async def _read(self, answer: Answer, texts: int) -> bytes:
        largest = _BYTES_AROUND + texts * self.model.dimensions * _BYTES_PER_NUMBER
        content = bytearray()
        while chunk := await answer.read_chunk():
            content += chunk
            if len(content) > largest:
                raise EmbedderUnavailableError("The embedding service answers with more than was asked for.")
        return bytes(content)

    def _vectors(self, content: bytes, texts: int) -> NDArray[np.float32]:
        """In the order of the texts, which the answer's `index` gives."""
        try:
            data = orjson.loads(content)["data"]
            rows = [_row(data, place) for place in range(len(data))]
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, OverflowError):
            raise EmbedderUnavailableError("The embedding service answers with no list of vectors.") from None
        if sorted(place for place, _ in rows) != list(range(texts)):
            raise EmbedderUnavailableError(
                f"The embedding service answers {texts} texts with {len(rows)} vectors."
            )
        for _, row in rows:
            if row.shape != (self.model.dimensions,):
                raise EmbedderUnavailableError(
                    f"The embedding service answers with vectors of {row.size} dimensions "
                    f"instead of {self.model.dimensions}."
                )
        return np.stack([row for _, row in sorted(rows, key=lambda row: row[0])])


def _row(data: Any, place: int) -> tuple[int, NDArray[np.float32]]:
    entry = data[place]
    numbers = entry["embedding"]
    if not isinstance(numbers, list):
        raise TypeError("not a list of numbers")
    with np.errstate(over="ignore"):
        row = np.array(numbers, np.float64).astype(np.float32)
    index = entry.get("index", place)
    if row.ndim != 1 or not isinstance(index, int):
        raise TypeError("not a vector")
    return index, row
