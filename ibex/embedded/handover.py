"""Directories that a server is given as open descriptors instead of paths."""

import os
from pathlib import Path
from types import TracebackType
from typing import Self

from ibex.embedded.account import Account


class Handover:
    """Names directories for a server of `account`, which may have no right to walk down to them.

    The kernel follows `/proc/self/fd/N` to an open directory without looking at the folders above it
    (proc(5)), so nothing outside the data directory has to be opened up for the server.
    Use as a context manager around the spawn, and pass `descriptors` on to the server.
    """

    def __init__(self, account: Account) -> None:
        self._account = account
        self.descriptors: list[int] = []

    def path(self, directory: Path) -> str:
        """Return the path by which the server reaches `directory`."""
        if self._account.is_launcher:
            return str(directory)
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        self.descriptors.append(descriptor)
        return f"/proc/self/fd/{descriptor}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for descriptor in self.descriptors:
            os.close(descriptor)
        self.descriptors.clear()
