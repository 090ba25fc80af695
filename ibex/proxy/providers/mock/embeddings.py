"""Embeddings without a model: each text has a direction of its own, which says nothing of its meaning."""

import base64
import hashlib
import math
import struct
from collections.abc import Iterator, Sequence

import orjson

from ibex.proxy.providers.mock.requests import EmbeddingsRequest

_DIMENSIONS = 1_536


def embed(request: EmbeddingsRequest) -> Iterator[bytes]:
    """The body in pieces, a vector at a time, so that a long one holds up nothing else."""
    dimensions = request.dimensions or _DIMENSIONS
    texts: Sequence[str | Sequence[int]] = request.input
    yield b'{"object":"list","data":['
    for index, text in enumerate(texts):
        vector = unit_vector(text, dimensions)
        embedding = _base64(vector) if request.encoding_format == "base64" else vector
        item = orjson.dumps({"object": "embedding", "index": index, "embedding": embedding})
        yield b"," + item if index else item
    tokens = sum(len(text.split()) if isinstance(text, str) else len(text) for text in texts)
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    yield b'],"model":%b,"usage":%b}' % (orjson.dumps(request.model), orjson.dumps(usage))


def unit_vector(text: str | Sequence[int], dimensions: int) -> list[float]:
    """A vector of length 1 with values that single precision holds; tokens are told from texts."""
    source = b"text:" + text.encode() if isinstance(text, str) else b"tokens:" + orjson.dumps(text)
    digest = hashlib.shake_256(source).digest(4 * dimensions)
    # Odd numbers, so that no vector has length 0.
    values = [2 * value + 1 for value in struct.unpack(f"<{dimensions}i", digest)]
    length = math.hypot(*values)
    return list(
        struct.unpack(f"<{dimensions}f", struct.pack(f"<{dimensions}f", *(v / length for v in values)))
    )


def _base64(vector: Sequence[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
