"""What a bundled server writes to its standard output."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_ROTATE_BYTES = 8 * 1024 * 1024
_TAIL_LINES = 20
_TAIL_BYTES = 8192


class ServerLog:
    """A log file (0600), put aside as `<name>.1` when it has grown past 8 MiB by the next start."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._start = 0

    @contextmanager
    def opened(self) -> Iterator[int]:
        """Yield a descriptor that appends to the log."""
        self._path.parent.mkdir(mode=0o700, exist_ok=True)
        if self._path.exists() and self._path.stat().st_size > _ROTATE_BYTES:
            self._path.replace(self._path.with_name(f"{self._path.name}.1"))
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            self._start = os.fstat(descriptor).st_size
            yield descriptor
        finally:
            os.close(descriptor)

    def tail(self) -> str:
        """Return where the log is and the last lines written to it since it was opened."""
        with self._path.open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(self._start, end - _TAIL_BYTES))
            lines = file.read().decode(errors="replace").splitlines()[-_TAIL_LINES:]
        return "\n".join([f"The end of {self._path}:", *lines])
