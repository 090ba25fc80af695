"""What was embedded a moment ago is not embedded again."""

from collections.abc import Sequence

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ibex.memory.embedding.cache import CachingEmbedder
from ibex.memory.embedding.local import LocalEmbedder
from ibex.memory.embedding.minilm import MiniLM
from tests.faults.waiting import until


class Counting:
    """The real embedder, which notes what it is asked."""

    def __init__(self, minilm: MiniLM) -> None:
        self._local = LocalEmbedder(minilm)
        self.model = self._local.model
        self.asked: list[str] = []

    async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.asked += texts
        return await self._local.embed(texts)

    async def close(self) -> None:
        await self._local.close()


async def test_each_text_is_embedded_once(minilm: MiniLM) -> None:
    counting = Counting(minilm)
    embedder = CachingEmbedder(counting)

    first = await embedder.embed(["one", "two", "one"])
    again = await embedder.embed(["two", "three", "one"])

    assert sorted(counting.asked) == ["one", "three", "two"]
    assert (first[0] == first[2]).all()
    assert (again[[0, 2]] == first[[1, 0]]).all()
    assert (await embedder.embed([])).shape == (0, 384)
    await embedder.close()


async def test_a_vector_is_forgotten_after_its_time_without_anybody_asking(minilm: MiniLM) -> None:
    counting = Counting(minilm)
    embedder = CachingEmbedder(counting, seconds=0.01)

    await embedder.embed(["one", "two"])
    await until(lambda: not embedder.kept)
    await embedder.embed(["two"])

    assert sorted(counting.asked) == ["one", "two", "two"]
    await embedder.close()


async def test_what_is_closed_keeps_nothing(minilm: MiniLM) -> None:
    embedder = CachingEmbedder(Counting(minilm))
    await embedder.embed(["one"])
    await embedder.close()
    assert embedder.kept == 0


async def test_nobody_can_change_what_is_kept(minilm: MiniLM) -> None:
    embedder = CachingEmbedder(Counting(minilm))
    first = await embedder.embed(["one"])
    before = first.copy()
    first[:] = 5
    assert (await embedder.embed(["one"]) == before).all()
    await embedder.close()


@settings(deadline=None, max_examples=20)
@given(asked=st.lists(st.lists(st.sampled_from("abcdefg"), max_size=5), max_size=5))
async def test_it_keeps_no_more_than_it_may_and_answers_all_the_same(
    minilm: MiniLM, asked: list[list[str]]
) -> None:
    counting = Counting(minilm)
    embedder = CachingEmbedder(counting, most=3)
    for texts in asked:
        rows = await embedder.embed(texts)
        assert embedder.kept <= 3
        assert rows.shape == (len(texts), 384)
        assert np.allclose(rows, await counting.embed(texts), atol=1e-6)
    await embedder.close()
