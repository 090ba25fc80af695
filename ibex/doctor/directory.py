"""The data directory: whether it can be used, by whom, and how much fits into it."""

import fcntl
import os
import shutil
import stat
from pathlib import Path

from ibex.doctor.finding import Finding, ok, problem, warning

_LEAST_FREE = 1 << 30
_LEAST_INODES = 10_000
_ANOTHER = "Choose another one with --data-dir or IBEX_DATA_DIR."


def access(path: Path) -> Finding:
    """Whether it exists and is ours alone, or can be made."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return _creatable(path)
    except OSError as error:
        return problem("data directory", f"{path} cannot be reached: {error.strerror}.", _ANOTHER)
    if not stat.S_ISDIR(status.st_mode):
        return problem("data directory", f"{path} is not a folder.", _ANOTHER)
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        return problem(
            "data directory",
            f"{path} belongs to user {status.st_uid} and cannot be written by user {os.geteuid()}.",
            f"Run IBEX as its owner. {_ANOTHER}",
        )
    mode = stat.S_IMODE(status.st_mode)
    if mode & 0o077:
        return warning(
            "data directory",
            f"{path} may be entered by other users (mode {mode:04o}), and it holds secrets.",
            f"chmod 700 {path}",
        )
    return ok("data directory", f"{path}, mode {mode:04o}, owner {status.st_uid}.")


def _creatable(path: Path) -> Finding:
    parent = _existing(path)
    # Root may write everywhere; what has no blocks, such as /proc, takes no folders all the same.
    if os.access(parent, os.W_OK | os.X_OK) and parent.is_dir() and os.statvfs(parent).f_blocks:
        return ok("data directory", f"{path} does not exist yet and will be created.")
    return problem(
        "data directory",
        f"{path} does not exist and cannot be created, because {parent} cannot be written.",
        _ANOTHER,
    )


def space(path: Path) -> Finding:
    existing = _existing(path)
    try:
        free, inodes = shutil.disk_usage(existing).free, os.statvfs(existing)
    except OSError as error:
        return problem("disk", f"{existing} cannot be examined: {error.strerror}.", _ANOTHER)
    if free < _LEAST_FREE:
        return problem("disk", f"Only {free >> 20} MiB are free.", f"Free at least 1 GiB. {_ANOTHER}")
    # Some file systems count no inodes and report none at all.
    if inodes.f_files and inodes.f_favail < _LEAST_INODES:
        return problem(
            "disk", f"Only {inodes.f_favail} files more can be created.", f"Free inodes. {_ANOTHER}"
        )
    return ok("disk", f"{free / (1 << 30):.1f} GiB are free.")


def holder(path: Path) -> str | None:
    """The pid of the IBEX that uses the directory (`unknown` when it cannot be told), None when none does."""
    try:
        descriptor = os.open(path / "lock", os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return os.pread(descriptor, 32, 0).decode(errors="replace").strip() or "unknown"
    finally:
        os.close(descriptor)
    return None


def in_use(pid: str | None) -> Finding:
    if pid is None:
        return ok("instance", "No IBEX runs on this data directory.")
    return ok("instance", f"An IBEX runs on this data directory (pid {pid}).")


def _existing(path: Path) -> Path:
    """The folder itself, or the nearest one above it that exists."""
    return next(folder for folder in (path, *path.parents) if os.path.lexists(folder))
