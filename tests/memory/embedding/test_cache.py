"""What was embedded once is not embedded again, as long as there is room."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ibex.memory.embedding import EmbeddingModel
from ibex.memory.embedding.cache import CachingEmbedder, InProcessVectorCache
from ibex.memory.embedding.local import LocalEmbedder
from ibex.memory.embedding.minilm import MiniLM


class Counting:
    """The real embedder, which notes what it is asked."""

    def __init__(self, minilm: MiniLM, version: str = "") -> None:
        self._local = LocalEmbedder(minilm)
        model = self._local.model
        self.model = EmbeddingModel(model.name, version or model.version, model.dimensions)
        self.asked: list[str] = []

    async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.asked += texts
        return await self._local.embed(texts)

    async def close(self) -> None:
        await self._local.close()


async def test_each_text_is_embedded_once(minilm: MiniLM) -> None:
    counting = Counting(minilm)
    embedder = CachingEmbedder(counting, InProcessVectorCache(1 << 20))

    first = await embedder.embed(["one", "two", "one"])
    again = await embedder.embed(["two", "three", "one"])

    assert sorted(counting.asked) == ["one", "three", "two"]
    assert (first[0] == first[2]).all()
    assert (again[[0, 2]] == first[[1, 0]]).all()
    assert (await embedder.embed([])).shape == (0, 384)
    await embedder.close()


async def test_models_do_not_share_vectors(minilm: MiniLM) -> None:
    cache = InProcessVectorCache(1 << 20)
    old, new = Counting(minilm, "1"), Counting(minilm, "2")

    await CachingEmbedder(old, cache).embed(["text"])
    await CachingEmbedder(new, cache).embed(["text"])

    assert new.asked == ["text"]
    await old.close()
    await new.close()


async def test_what_was_used_last_stays() -> None:
    cache = InProcessVectorCache(1_000)
    vector = np.ones(10, np.float32)
    for key in (b"a", b"b", b"c"):
        await cache.put({key: vector})
    await cache.get([b"a"])
    await cache.put({b"d": vector})

    assert set(await cache.get([b"a", b"b", b"c", b"d"])) == {b"a", b"c", b"d"}


async def test_nobody_can_change_what_is_kept() -> None:
    cache = InProcessVectorCache(10_000)
    rows = np.ones((2, 10), np.float32)
    await cache.put({b"a": rows[0]})
    rows[0] = 5

    kept = (await cache.get([b"a"]))[b"a"]

    assert (kept == 1).all()
    assert kept.base is None
    with pytest.raises(ValueError, match="read-only"):
        kept[0] = 5


@given(keys=st.lists(st.tuples(st.binary(max_size=1), st.integers(1, 50)), max_size=60))
async def test_it_never_takes_more_than_its_capacity(keys: list[tuple[bytes, int]]) -> None:
    cache = InProcessVectorCache(2_000)
    for key, size in keys:
        await cache.put({key: np.ones(size, np.float32)})
        assert 0 <= cache.size <= 2_000
    kept = await cache.get(sorted({key for key, _ in keys}))
    assert sum(vector.nbytes + 250 for vector in kept.values()) == cache.size
