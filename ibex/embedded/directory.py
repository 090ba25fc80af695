"""The data directory, which one ibex at a time may use."""

import fcntl
import os
import time
from pathlib import Path

from ibex.embedded.errors import EmbeddedError, explaining

_POLL_SECONDS = 0.02
# Workers that a killed supervisor leaves behind share its lock until they too have ended.
_DEAD_HOLDER_SECONDS = 5.0


class DataDirectory:
    """Opens or creates (0700) the data directory and holds its lock until closed.

    Raises `EmbeddedError` when the directory cannot be used or another ibex uses it.
    """

    def __init__(self, path: Path) -> None:
        with explaining(f"use the data directory {path}"):
            self.path = path.expanduser().resolve()
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._descriptor: int | None = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
            try:
                self._lock(self._descriptor)
            except BaseException:
                self.close()
                raise

    def _lock(self, descriptor: int) -> None:
        deadline = time.monotonic() + _DEAD_HOLDER_SECONDS
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = os.pread(descriptor, 32, 0).decode(errors="replace").strip()
                if _is_alive(holder) or time.monotonic() > deadline:
                    raise EmbeddedError(
                        f"Another ibex (pid {holder or 'unknown'}) is using {self.path}. "
                        "Stop it first, or choose another data directory with --data-dir or IBEX_DATA_DIR."
                    ) from None
                time.sleep(_POLL_SECONDS)
            else:
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
                return

    def close(self) -> None:
        """Let go of the lock; does nothing the second time.

        In a forked child this gives up the child's share only.
        """
        if self._descriptor is not None:
            # Not LOCK_UN: that would also unlock it for the process this one was forked from.
            os.close(self._descriptor)
            self._descriptor = None


def _is_alive(pid: str) -> bool:
    if not pid.isdecimal():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return not _is_zombie(pid)


def _is_zombie(pid: str) -> bool:
    """Whether all that is left of a process is its exit status, which nobody has asked for."""
    try:
        return (Path("/proc") / pid / "stat").read_text("utf-8").rpartition(")")[2].split()[0] == "Z"
    except (OSError, IndexError):
        return False
