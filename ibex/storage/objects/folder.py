"""Objects as files below a folder."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

from ibex.storage.objects.interface import (
    ObjectMissingError,
    ObjectStoreError,
    StoredObject,
    checked_key,
    checked_size,
)

Result = TypeVar("Result")

# What is being written. What a process that died has left there is listed like everything else.
_PARTIAL = ".partial"
_LISTED_AT_ONCE = 500


class FolderObjects:
    """The folder is made with the first object; only its owner may look into it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def put(self, key: str, content: bytes) -> None:
        checked_size(len(content))
        await _in_thread(lambda: self._put(self._path(key), content))

    async def get(self, key: str) -> bytes:
        return await _in_thread(lambda: _read(self._path(key)))

    async def list(self, prefix: str = "") -> AsyncIterator[StoredObject]:
        found = self._walk(self._path(prefix.rstrip("/")) if prefix else self._folder)
        while batch := await _in_thread(lambda: list(islice(found, _LISTED_AT_ONCE))):
            for each in batch:
                yield each

    async def delete(self, key: str) -> None:
        await _in_thread(lambda: self._path(key).unlink(missing_ok=True))

    async def ping(self) -> None:
        await _in_thread(lambda: self._make(self._folder))

    def _path(self, key: str) -> Path:
        return self._folder / checked_key(key)

    def _make(self, folder: Path) -> None:
        """`mkdir` would let everybody into the parents that it makes."""
        if folder != self._folder:
            self._make(folder.parent)
        folder.mkdir(mode=0o700, parents=folder == self._folder, exist_ok=True)

    def _put(self, path: Path, content: bytes) -> None:
        """Both the file and its name are on the disk when this returns."""
        partial = self._folder / _PARTIAL / uuid4().hex
        for folder in (partial.parent, path.parent):
            self._make(folder)
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
        _sync(path.parent)

    def _walk(self, folder: Path) -> Iterator[StoredObject]:
        for directory, _, names in os.walk(folder):
            for name in names:
                path = Path(directory, name)
                try:
                    told = path.stat()
                except FileNotFoundError:
                    # It went meanwhile.
                    continue
                key = path.relative_to(self._folder).as_posix()
                yield StoredObject(key, told.st_size, datetime.fromtimestamp(told.st_mtime, UTC))


def _read(path: Path) -> bytes:
    checked_size(path.stat().st_size)
    return path.read_bytes()


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


async def _in_thread(work: Callable[[], Result]) -> Result:
    try:
        return await asyncio.to_thread(work)
    except FileNotFoundError as error:
        raise ObjectMissingError("there is no such object") from error
    except OSError as error:
        raise ObjectStoreError(f"the folder of objects refuses: {error.strerror}") from error
