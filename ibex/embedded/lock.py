"""A lock that is free exactly when a server and all its processes are gone."""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ibex.embedded.errors import EmbeddedError

_POLL_SECONDS = 0.01
# A fast shutdown writes one checkpoint of at most 128 MB of buffers.
_SHUTDOWN_SECONDS = 15.0


@contextmanager
def server_lock(path: Path, *, server: str, report: Callable[[str], None]) -> Iterator[int]:
    """Take the lock, waiting for an earlier server to finish its shutdown, and yield its descriptor.

    The descriptor is to be inherited by the server: a lock of flock(2) lasts until the last process that
    has it open is gone, however it ends. Raises `EmbeddedError` when the earlier server does not finish.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _wait_for(descriptor, server, report)
        yield descriptor
    finally:
        os.close(descriptor)


def note_holder(descriptor: int, pid: int) -> None:
    """Write down which process the lock was handed to."""
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{pid}\n".encode(), 0)


def _wait_for(descriptor: int, server: str, report: Callable[[str], None]) -> None:
    deadline = time.monotonic() + _SHUTDOWN_SECONDS
    reported = False
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 32, 0).decode(errors="replace").strip() or "unknown"
        if not reported:
            report(f"Waiting for the {server} of an earlier ibex to shut down (pid {holder}).")
            reported = True
        if time.monotonic() > deadline:
            raise EmbeddedError(
                f"The {server} of an earlier ibex is still running (pid {holder}). "
                f"Try again in a moment, or end it with: kill -QUIT {holder}"
            )
        time.sleep(_POLL_SECONDS)
