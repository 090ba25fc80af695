"""An embedding service on a real connection, which does what such services do to their callers."""

import asyncio
import random
import re
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import orjson
import pytest
import pytest_asyncio
from pydantic import SecretStr

from ibex.memory.embedding import EmbedderUnavailableError
from ibex.memory.embedding.remote import RemoteEmbedder, RemoteService
from tests.faults.waiting import until
from tests.providers import behaviours
from tests.providers.behaviours import Behaviour
from tests.providers.exchange import Exchange
from tests.providers.stub import StubProvider

_KEY = "sk-embedding-0123456789"
_TEXT = "the text that nobody may read"


def vector_of(text: str) -> list[float]:
    return [float(len(text)), 1.0, 2.0, 2.0]


async def embed(exchange: Exchange) -> None:
    """Vectors that tell the texts' lengths, in another order than that of the texts."""
    texts = exchange.request.json()["input"]
    data = [{"index": place, "embedding": vector_of(text)} for place, text in enumerate(texts)]
    random.Random(1).shuffle(data)
    await exchange.respond(orjson.dumps({"data": data}))


def answering(body: Any) -> Behaviour:
    """The same, whatever is asked."""

    async def behave(exchange: Exchange) -> None:
        await exchange.respond(body if isinstance(body, bytes) else orjson.dumps(body))

    return behave


def one(embedding: Any, **fields: Any) -> Any:
    return {"data": [{"index": 0, "embedding": embedding, **fields}]}


async def echo_failure(exchange: Exchange) -> None:
    """What some services do: they quote the request, its key included."""
    await exchange.respond(
        exchange.request.body + str(exchange.request.header("authorization")).encode(), status=500
    )


@pytest_asyncio.fixture
async def embedder(stub_provider: StubProvider) -> AsyncIterator[RemoteEmbedder]:
    stub_provider.on_path("/embeddings", embed)
    remote = RemoteEmbedder(
        RemoteService(
            stub_provider.base_url,
            "some-model",
            4,
            SecretStr(_KEY),
            batch=3,
            concurrency=2,
            timeout=5.0,
        ),
        "ibex/test",
    )
    yield remote
    await remote.close()


async def test_vectors_come_in_the_order_of_the_texts_with_unit_norm(embedder: RemoteEmbedder) -> None:
    texts = ["x" * length for length in range(1, 12)]

    found = await embedder.embed(texts)

    expected = np.array([vector_of(text) for text in texts], np.float32)
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    assert found == pytest.approx(expected, abs=1e-6)
    assert found.dtype == np.float32


async def test_it_asks_in_batches_with_its_key(embedder: RemoteEmbedder, stub_provider: StubProvider) -> None:
    await embedder.embed(["a", "b", "c", "d"])

    sent = [request.json() for request in stub_provider.requests]
    assert sorted(len(fields["input"]) for fields in sent) == [1, 3]
    assert {fields["model"] for fields in sent} == {"some-model"}
    assert {request.header("authorization") for request in stub_provider.requests} == {f"Bearer {_KEY}"}
    assert {request.path for request in stub_provider.requests} == {"/v1/embeddings"}


async def test_no_more_requests_are_under_way_than_allowed(
    embedder: RemoteEmbedder, stub_provider: StubProvider
) -> None:
    async def wait(exchange: Exchange) -> None:
        await exchange.gate.wait()
        await embed(exchange)

    stub_provider.on_path("/embeddings", wait)
    asking = asyncio.create_task(embedder.embed(["text"] * 30))
    await until(lambda: len(stub_provider.requests) == 2)
    for _ in range(10):
        await asyncio.sleep(0)
    assert len(stub_provider.requests) == stub_provider.connections == 2

    stub_provider.gate.open()
    assert (await asking).shape == (30, 4)
    assert stub_provider.connections == 2


_FAULTS: dict[str, tuple[Behaviour, str]] = {
    "another dimension": (answering(one([1.0, 2.0])), "vectors of 2 dimensions instead of 4"),
    "a NaN": (answering(b'{"data": [{"index": 0, "embedding": [NaN, 1, 1, 1]}]}'), "no list of vectors"),
    "a null": (answering(one([None, 1.0, 1.0, 1.0])), "numbers that are no vector"),
    "an infinity": (answering(one([1e300, 1.0, 1.0, 1.0])), "numbers that are no vector"),
    "zeros": (answering(one([0.0, 0.0, 0.0, 0.0])), "numbers that are no vector"),
    "nested lists": (answering(one([[1.0], [1.0], [1.0], [1.0]])), "no list of vectors"),
    "ragged lists": (answering(one([[1.0], 1.0])), "no list of vectors"),
    "base64": (answering(one("AACAPwAAgD8=")), "no list of vectors"),
    "too few": (answering({"data": []}), "answers 1 texts with 0 vectors"),
    "too many": (answering({"data": [*one([1.0] * 4)["data"]] * 2}), "answers 1 texts with 2 vectors"),
    "a wrong index": (answering(one([1.0] * 4, index=7)), "answers 1 texts with 1 vectors"),
    "an index that is none": (answering(one([1.0] * 4, index="0")), "no list of vectors"),
    "no data": (answering({"object": "list"}), "no list of vectors"),
    "data that is no list": (answering({"data": {"a": 1}}), "no list of vectors"),
    "a list": (answering([1, 2, 3]), "no list of vectors"),
    "no JSON": (behaviours.invalid_json, "no list of vectors"),
    "a web page": (behaviours.html, "no list of vectors"),
    "nothing": (behaviours.empty_body, "no list of vectors"),
    "a flood": (answering(b" " * (1 << 20)), "more than was asked for"),
    "500": (echo_failure, "status 500"),
    "429": (behaviours.status(429), "status 429"),
    "401": (behaviours.status(401), "status 401"),
    "a hang-up": (behaviours.close_before_headers, "broke off"),
    "half an answer": (behaviours.truncated, "broke off"),
}


@pytest.mark.parametrize(("behaviour", "reason"), _FAULTS.values(), ids=_FAULTS)
async def test_what_is_no_answer_is_named_and_quotes_nothing(
    embedder: RemoteEmbedder, stub_provider: StubProvider, behaviour: Behaviour, reason: str
) -> None:
    stub_provider.on_path("/embeddings", behaviour)

    with pytest.raises(EmbedderUnavailableError, match=re.escape(reason)) as raised:
        await embedder.embed([_TEXT])

    assert _KEY not in str(raised.value)
    assert _TEXT not in str(raised.value)
    stub_provider.on_path("/embeddings", embed)
    assert (await embedder.embed([_TEXT])).shape == (1, 4)


@pytest.mark.parametrize("hang", [behaviours.hang_before_headers, behaviours.hang_after_headers])
async def test_a_service_that_hangs_is_given_up(stub_provider: StubProvider, hang: Behaviour) -> None:
    stub_provider.on_path("/embeddings", hang)
    service = RemoteService(stub_provider.base_url, "some-model", 4, timeout=0.05)
    remote = RemoteEmbedder(service, "ibex/test")

    with pytest.raises(EmbedderUnavailableError, match=r"did not answer within 0\.05 s"):
        await remote.embed([_TEXT])

    await until(lambda: stub_provider.open_connections == 0)
    await remote.close()


async def test_a_service_that_is_not_there_is_named(
    embedder: RemoteEmbedder, stub_provider: StubProvider
) -> None:
    await stub_provider.stop()

    with pytest.raises(EmbedderUnavailableError, match=r"cannot be reached \(ConnectionRefusedError\)"):
        await embedder.embed([_TEXT])


async def test_who_is_cancelled_leaves_no_request_behind(
    embedder: RemoteEmbedder, stub_provider: StubProvider
) -> None:
    stub_provider.on_path("/embeddings", behaviours.hang_before_headers)
    asking = asyncio.create_task(embedder.embed(["text"] * 30))
    await until(lambda: len(stub_provider.requests) == 2)

    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)

    assert asking.cancelled()
    await until(lambda: stub_provider.open_connections == 0)
    stub_provider.on_path("/embeddings", embed)
    assert (await embedder.embed(["text"] * 7)).shape == (7, 4)


async def test_a_text_that_is_not_unicode_cannot_be_sent(embedder: RemoteEmbedder) -> None:
    with pytest.raises(EmbedderUnavailableError, match="not Unicode"):
        await embedder.embed(["\ud800"])


async def test_no_texts_are_not_asked_about(embedder: RemoteEmbedder, stub_provider: StubProvider) -> None:
    assert (await embedder.embed([])).shape == (0, 4)
    assert stub_provider.requests == ()
