"""The real embedding model, where `make model` puts it."""

from pathlib import Path

import pytest

from ibex.memory.embedding.minilm_files import NAME, faults

_FOLDER = Path(__file__).parents[1] / ".ibex" / "models" / NAME


@pytest.fixture(scope="session")
def model_files() -> Path:
    """A folder with the files of the model, which no test changes."""
    wrong = faults(_FOLDER)
    if wrong:
        pytest.fail(f"These tests need the embedding model: make model. {' '.join(wrong)}")
    return _FOLDER
