"""The built-in provider's embeddings are vectors as OpenAI gives them."""

import base64
import math
import struct
from typing import Any

import orjson
import pytest
from openai.types import CreateEmbeddingResponse

from tests.proxy.providers.asking_the_mock import receive


@pytest.mark.parametrize(
    ("input_", "tokens"),
    [("two words", [2]), (["one", "two words"], [1, 2]), ([5, 6, 7], [3]), ([[5], [6, 7]], [1, 2])],
)
async def test_embeddings_are_unit_vectors(input_: Any, tokens: list[int]) -> None:
    received = await receive(orjson.dumps({"model": "e", "input": input_}), "/embeddings")
    answer = CreateEmbeddingResponse.model_validate_json(received.body, strict=True)
    assert [item.index for item in answer.data] == list(range(len(tokens)))
    assert answer.usage.prompt_tokens == sum(tokens)
    for item in answer.data:
        assert len(item.embedding) == 1536
        assert math.hypot(*item.embedding) == pytest.approx(1, abs=1e-5)
    assert len({tuple(item.embedding) for item in answer.data}) == len(tokens)


async def test_both_encodings_of_an_embedding_are_the_same_numbers() -> None:
    request = {"model": "e", "input": "hello", "dimensions": 8}
    plain = orjson.loads((await receive(orjson.dumps(request), "/embeddings")).body)
    encoded = orjson.loads(
        (await receive(orjson.dumps({**request, "encoding_format": "base64"}), "/embeddings")).body
    )
    packed = base64.b64decode(encoded["data"][0]["embedding"])
    assert list(struct.unpack("<8f", packed)) == plain["data"][0]["embedding"]


@pytest.mark.parametrize("input_", ["", [], [[]], [""], ["a", 1], [1, "a"], [True], [-1], [["a"]], {}, None])
async def test_malformed_embedding_input_is_refused(input_: Any) -> None:
    received = await receive(orjson.dumps({"model": "e", "input": input_}), "/embeddings")
    assert received.status == 400
    assert (received.error.param or "").split("[")[0] == "input"
