"""An embedder that is opened by whoever needs it first."""

import asyncio
from pathlib import Path

import pytest

from ibex.memory.embedding import EmbedderUnavailableError
from ibex.memory.lazy_embedder import LazyEmbedder
from ibex.settings import EmbedderSettings, Settings


def lazy(settings: Settings) -> LazyEmbedder:
    embedder = LazyEmbedder.of(settings, "ibex/test")
    assert embedder is not None
    return embedder


async def test_whoever_gives_up_waiting_does_not_keep_it_from_opening(model_files: Path) -> None:
    embedder = lazy(Settings(model_path=model_files))
    impatient = asyncio.create_task(embedder.embed(["tea"]))
    patient = asyncio.create_task(embedder.embed(["tea"]))
    await asyncio.sleep(0)
    impatient.cancel()

    assert (await patient).shape == (1, 384)
    await embedder.close()


async def test_what_cannot_be_opened_is_tried_again(tmp_path: Path, model_files: Path) -> None:
    folder = tmp_path / "model"
    folder.symlink_to(model_files)
    embedder = lazy(Settings(model_path=folder))
    folder.unlink()
    with pytest.raises(EmbedderUnavailableError, match="cannot be used"):
        await embedder.embed(["tea"])

    folder.symlink_to(model_files)

    assert (await embedder.embed(["tea"])).shape == (1, 384)
    await embedder.close()


async def test_once_closed_it_stays_closed(model_files: Path) -> None:
    embedder = lazy(Settings(model_path=model_files))
    embedder.start()
    await embedder.close()

    with pytest.raises(EmbedderUnavailableError, match="closed"):
        await embedder.embed(["tea"])


def test_without_one_there_is_none() -> None:
    assert LazyEmbedder.of(Settings(embedder=EmbedderSettings(kind="none")), "ibex/test") is None
