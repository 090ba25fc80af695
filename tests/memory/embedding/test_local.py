"""The local embedder under many callers, none of whom it keeps from the loop."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from threading import Event

import numpy as np
import pytest
import pytest_asyncio
from numpy.typing import NDArray

from ibex.memory.embedding import EmbedderUnavailableError, EmbeddingModel
from ibex.memory.embedding.local import LocalEmbedder
from ibex.memory.embedding.minilm import MiniLM
from tests.faults.waiting import until


class Gated:
    """The real model behind a gate: what it is asked for waits until the gate is opened."""

    def __init__(self, minilm: MiniLM) -> None:
        self._minilm = minilm
        self.gate = Event()
        self.begun = 0
        self.batches: list[int] = []

    @property
    def model(self) -> EmbeddingModel:
        return self._minilm.model

    def split(self, text: str) -> Sequence[int]:
        return self._minilm.split(text)

    def vectors(self, texts: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        self.begun += 1
        assert self.gate.wait(10)
        self.batches.append(len(texts))
        return self._minilm.vectors(texts)


class Broken(Gated):
    def vectors(self, texts: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        raise RuntimeError(f"no memory for {texts}")


@pytest.fixture
def gated(minilm: MiniLM) -> Gated:
    return Gated(minilm)


@pytest_asyncio.fixture
async def embedder(gated: Gated) -> AsyncIterator[LocalEmbedder]:
    local = LocalEmbedder(gated, capacity=100)
    yield local
    gated.gate.set()
    await local.close()


async def test_many_callers_each_get_their_own_in_order(minilm: MiniLM) -> None:
    texts = [f"number {number} {'of many ' * (number % 7)}" for number in range(60)]
    local = LocalEmbedder(minilm, threads=2)
    try:
        found = await asyncio.gather(*(local.embed(texts[n : n + 3]) for n in range(0, 60, 3)))
    finally:
        await local.close()

    expected = np.concatenate([minilm.vectors([minilm.split(text)]) for text in texts])
    assert np.abs(np.concatenate(found) - expected).max() < 1e-6


async def test_texts_that_wait_together_share_a_batch(gated: Gated, embedder: LocalEmbedder) -> None:
    first = asyncio.create_task(embedder.embed(["first"]))
    await until(lambda: gated.begun == 1)
    others = [asyncio.create_task(embedder.embed([f"other {number}"])) for number in range(4)]
    await asyncio.sleep(0)

    gated.gate.set()
    await asyncio.gather(first, *others)

    assert gated.batches == [1, 4]


async def test_a_question_overtakes_a_hundred_texts(gated: Gated, embedder: LocalEmbedder) -> None:
    bulk = asyncio.create_task(embedder.embed([f"{number} {'long ' * 150}" for number in range(99)]))
    await until(lambda: gated.begun == 1)
    question = asyncio.create_task(embedder.embed(["a question"]))
    await asyncio.sleep(0)

    gated.gate.set()
    await question

    assert not bulk.done()
    assert len(gated.batches) < 10
    bulk.cancel()


async def test_the_loop_goes_on_while_the_model_works(gated: Gated, embedder: LocalEmbedder) -> None:
    asking = asyncio.create_task(embedder.embed(["hello"]))
    await until(lambda: gated.begun == 1)
    for _ in range(100):
        await asyncio.sleep(0)

    assert not asking.done()
    gated.gate.set()
    assert (await asking).shape == (1, 384)


async def test_who_is_cancelled_takes_back_what_nobody_works_at(
    gated: Gated, embedder: LocalEmbedder
) -> None:
    first = asyncio.create_task(embedder.embed(["first"]))
    await until(lambda: gated.begun == 1)
    second = asyncio.create_task(embedder.embed(["second"] * 100))
    await asyncio.sleep(0)

    second.cancel()
    first.cancel()
    await asyncio.gather(first, second, return_exceptions=True)
    gated.gate.set()

    assert (await embedder.embed(["x"] * 100)).shape == (100, 384)
    assert sum(gated.batches) == 101


async def test_more_than_may_wait_is_refused_at_once(gated: Gated, embedder: LocalEmbedder) -> None:
    first = asyncio.create_task(embedder.embed(["first"]))
    await until(lambda: gated.begun == 1)
    waiting = asyncio.create_task(embedder.embed(["text"] * 100))
    await asyncio.sleep(0)

    with pytest.raises(EmbedderUnavailableError, match="busy: 100 texts wait, and at most 100 may"):
        await embedder.embed(["one more"])

    gated.gate.set()
    await asyncio.gather(first, waiting)
    assert (await embedder.embed(["one more"])).shape == (1, 384)


async def test_closing_refuses_what_waits_and_finishes_what_is_under_way(gated: Gated) -> None:
    local = LocalEmbedder(gated)
    under_way = asyncio.create_task(local.embed(["first"]))
    await until(lambda: gated.begun == 1)
    waiting = asyncio.create_task(local.embed(["second"]))
    await asyncio.sleep(0)
    closing = asyncio.create_task(local.close())

    with pytest.raises(EmbedderUnavailableError, match="closed"):
        await waiting
    gated.gate.set()
    await closing

    assert (await under_way).shape == (1, 384)
    with pytest.raises(EmbedderUnavailableError, match="closed"):
        await local.embed(["third"])


async def test_a_model_that_fails_tells_its_callers_and_not_what_they_asked(minilm: MiniLM) -> None:
    local = LocalEmbedder(Broken(minilm))
    try:
        for _ in range(2):
            with pytest.raises(EmbedderUnavailableError, match=r"failed \(RuntimeError\)\.$"):
                await local.embed(["secret", "words"])
    finally:
        await local.close()


async def test_no_texts_have_no_vectors(embedder: LocalEmbedder) -> None:
    assert (await embedder.embed([])).shape == (0, 384)


async def test_odd_texts_have_vectors(gated: Gated, embedder: LocalEmbedder) -> None:
    gated.gate.set()

    found = await embedder.embed(["", "🦌", "\ud800", "\x00", "שלום", "x" * 1_000_000])

    assert np.linalg.norm(found, axis=1) == pytest.approx(np.ones(6), abs=1e-6)


async def test_a_folder_without_the_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(EmbedderUnavailableError, match=str(tmp_path)):
        await LocalEmbedder.open(tmp_path)


async def test_files_of_another_kind_are_refused(tmp_path: Path, model_files: Path) -> None:
    (tmp_path / "vocab.txt").symlink_to(model_files / "vocab.txt")
    (tmp_path / "model.safetensors").write_bytes(b"\x10" + bytes(7) + b'{"a": {}}       ')

    with pytest.raises(EmbedderUnavailableError, match="cannot be used"):
        await LocalEmbedder.open(tmp_path)
