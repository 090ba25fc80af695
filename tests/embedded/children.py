"""Work done in a forked child: as another user, in a mount namespace, or up to its sudden death."""

import ctypes
import os
import pickle
import pwd
import signal
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import pytest

Result = TypeVar("Result")

# A child ends after this by itself, should the test that has forked it be gone.
_LIFETIME_SECONDS = 60

_CLONE_NEWNS = 0x20000
_MS_RDONLY, _MS_REC, _MS_PRIVATE = 1, 1 << 14, 1 << 18

as_root_only = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, which drops to nobody")


@dataclass(slots=True)
class Child:
    """A child that has done its work and waits to be killed."""

    pid: int
    result: Any = None
    killed: bool = False

    def kill(self) -> None:
        """End it as `kill -9` does, and reap it; does nothing the second time."""
        if not self.killed:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            self.killed = True


def in_child(work: Callable[[], Result]) -> Result:
    """Return what `work` returns in a forked child."""
    with waiting_child(work) as child:
        result: Result = child.result
    return result


def as_ordinary_user(work: Callable[[], Result]) -> Result:
    """Return what `work` returns for a user who is not root: `nobody` when the tests run as root."""
    if os.geteuid() != 0:
        return work()

    def dropped() -> Result:
        nobody = pwd.getpwnam("nobody")
        os.setgroups([])
        os.setgid(nobody.pw_gid)
        os.setuid(nobody.pw_uid)
        return work()

    return in_child(dropped)


@contextmanager
def waiting_child(work: Callable[[], object]) -> Iterator[Child]:
    """Do `work` in a forked child that stays afterwards, and yield it; it is killed at the end."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        _work_and_wait(work, writer)
    os.close(writer)
    child = Child(pid)
    try:
        with os.fdopen(reader, "rb") as pipe:
            succeeded, child.result = pickle.load(pipe)
        assert succeeded, child.result
        yield child
    finally:
        child.kill()


def _work_and_wait(work: Callable[[], object], writer: int) -> None:
    signal.alarm(_LIFETIME_SECONDS)
    try:
        outcome = (True, work())
    except BaseException:  # noqa: BLE001 - the parent gets it whatever it is
        outcome = (False, traceback.format_exc())
    with os.fdopen(writer, "wb") as pipe:
        pickle.dump(outcome, pipe)
    while True:
        signal.pause()


def mount_tmpfs(target: str, *, megabytes: int, read_only: bool = False) -> None:
    """Mount an empty tmpfs that only this process and its children see; raises `OSError`."""
    libc = ctypes.CDLL(None, use_errno=True)
    flags = _MS_RDONLY if read_only else 0
    options = f"size={megabytes}m,mode=0700".encode()
    for status in (
        libc.unshare(_CLONE_NEWNS),
        libc.mount(b"none", b"/", None, ctypes.c_ulong(_MS_REC | _MS_PRIVATE), None),
        libc.mount(b"tmpfs", target.encode(), b"tmpfs", ctypes.c_ulong(flags), options),
    ):
        if status != 0:
            raise OSError(ctypes.get_errno(), "mount")
