"""Brings the model's files into their place: the right ones, whole, or none."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ibex.memory.embedding.minilm_files import FILES, NAME, ModelFile, fault
from ibex.memory.embedding.sources import ModelSource, Report, SourceError

_INCOMING = ".incoming-"


class PullError(Exception):
    """The model could not be had; the message says what each source gave."""


def pull(folder: Path, sources: Sequence[ModelSource], report: Report) -> bool:
    """Fetch what `folder` does not have, from the first source that gives it; False when nothing was missing.

    Files are written beside it, checked, and then renamed: whenever this ends, every file is the right one or
    is not there. Two at a time wait for each other. Raises `PullError`.
    """
    try:
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _alone(folder.parent):
            missing = [file for file in FILES if fault(folder, file) is not None]
            if missing:
                _fetch_first(missing, folder, sources, report)
                report(f"{NAME} is in {folder}.")
            return bool(missing)
    except OSError as error:
        raise PullError(f"{folder} cannot be written: {error.strerror}.") from None


def _fetch_first(
    files: Sequence[ModelFile], folder: Path, sources: Sequence[ModelSource], report: Report
) -> None:
    failures = []
    for source in sources:
        with _incoming(folder.parent) as incoming:
            try:
                source.fetch(files, incoming, report)
                _check(files, incoming)
            except SourceError as error:
                failures.append(f"{source.name} {error}.")
                report(failures[-1])
                continue
            _place(files, incoming, folder)
            return
    raise PullError(f"{NAME} could not be fetched. {' '.join(failures)}")


def _check(files: Sequence[ModelFile], incoming: Path) -> None:
    for file in files:
        found = fault(incoming, file)
        if found is not None:
            raise SourceError(f"has given the wrong file: {file.name} {found}")


def _place(files: Sequence[ModelFile], incoming: Path, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    for file in files:
        with (incoming / file.name).open("rb") as written:
            os.fsync(written.fileno())
        (incoming / file.name).replace(folder / file.name)


@contextmanager
def _alone(parent: Path) -> Iterator[None]:
    """Nobody else pulls; what somebody who was killed has left is removed."""
    with (parent / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for left in parent.glob(f"{_INCOMING}*"):
            shutil.rmtree(left)
        yield


@contextmanager
def _incoming(parent: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix=_INCOMING, dir=parent) as folder:
        yield Path(folder)
