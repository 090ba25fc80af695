"""`ibex models`, as it is typed."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ibex.cli import main
from ibex.memory.embedding.minilm_files import WEIGHTS


def ibex(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments, env={"IBEX_EMBEDDER_KIND": "local"})


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


def test_the_model_is_pulled_listed_and_verified(data_dir: Path, model_files: Path) -> None:
    place = data_dir / "models" / "all-MiniLM-L6-v2"

    pulled = ibex("models", "pull", "--from", str(model_files), "--data-dir", str(data_dir))
    again = ibex("models", "pull", "--from", str(model_files), "--data-dir", str(data_dir))
    listed = ibex("models", "list", "--json", "--data-dir", str(data_dir))
    verified = ibex("models", "verify", "--data-dir", str(data_dir))

    assert pulled.stdout == f"all-MiniLM-L6-v2 is in {place}.\n"
    assert again.stdout == f"all-MiniLM-L6-v2 was in {place} already.\n"
    assert [(row["file"], row["is_present"]) for row in json.loads(listed.stdout)] == [
        (f"{place}/model.safetensors", True),
        (f"{place}/vocab.txt", True),
    ]
    assert (verified.exit_code, verified.stdout.count("is the right file.")) == (0, 2)
    assert data_dir.stat().st_mode & 0o777 == 0o700


def test_before_the_pull_everything_says_what_is_missing(data_dir: Path) -> None:
    listed = ibex("models", "list", "--data-dir", str(data_dir))
    verified = ibex("models", "verify", "--data-dir", str(data_dir))

    assert listed.stdout.count("missing") == 2
    assert "Fetch it: ibex models pull." in listed.stdout
    assert verified.exit_code == 1
    assert "model.safetensors is missing." in verified.stderr
    assert not data_dir.exists()


def test_a_damaged_file_is_found(data_dir: Path, model_files: Path) -> None:
    ibex("models", "pull", "--from", str(model_files), "--data-dir", str(data_dir))
    weights = data_dir / "models" / "all-MiniLM-L6-v2" / WEIGHTS.name
    with weights.open("r+b") as file:
        file.seek(50_000_000)
        file.write(b"damage")

    verified = ibex("models", "verify", "--data-dir", str(data_dir))

    assert verified.exit_code == 1
    assert "model.safetensors is another file" in verified.stderr


def test_a_folder_of_ones_own_is_not_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IBEX_MODEL_PATH", str(tmp_path))

    pulled = ibex("models", "pull")

    assert pulled.exit_code == 1
    assert "does not write to" in pulled.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_source_that_is_wrong_is_named(data_dir: Path, tmp_path: Path) -> None:
    pulled = ibex("models", "pull", "--from", str(tmp_path), "--data-dir", str(data_dir))

    assert pulled.exit_code == 1
    assert f"{tmp_path} cannot be read: No such file or directory." in pulled.stderr
