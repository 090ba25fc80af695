"""Files that hold a secret: whole or not there, and for their owner's eyes only (0600)."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def write_once(path: Path, text: str) -> None:
    """Several processes may start at once: all of them end up with the same file. Raises `OSError`."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _draft(path, text) as draft:
        try:
            os.link(draft, path)
        except FileExistsError:
            return


def replace(path: Path, text: str) -> None:
    """Put another text in the file's place, at once; its owner stays. Raises `OSError`."""
    with _draft(path, text) as draft:
        # Whoever administers as root must not lock out the account that serves.
        if path.exists() and os.geteuid() == 0:
            before = path.stat()
            os.chown(draft, before.st_uid, before.st_gid)
        draft.replace(path)


@contextmanager
def _draft(path: Path, text: str) -> Iterator[Path]:
    # Not named after the process: containers that share a volume may all be process 1.
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    draft = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        yield draft
    finally:
        draft.unlink(missing_ok=True)
