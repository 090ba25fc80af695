"""Where a server's Unix socket lives."""

import hashlib
import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from ibex.embedded.account import Account
from ibex.embedded.files import make_private_directory, write_private_file

# A socket address holds 107 bytes of path on Linux and 103 on macOS (unix(7), unix(4)).
_LONGEST_SOCKET_PATH = 100


class SocketDirectory:
    """A 0700 directory of the server's account: `<directory>/run`, or one in the temporary folder when the
    socket's path below `directory` would be too long for the operating system.

    Call `prepare` while holding the server's lock. The one in the temporary folder is noted in
    `<directory>/socket-directory`, so that the path stays the same when the server is launched again and is
    found again after a crash.
    """

    def __init__(self, directory: Path, *, socket_name: str) -> None:
        self._inside = directory / "run"
        self._note = directory / "socket-directory"
        self._socket_name = socket_name
        # The name says whose it is: the note in a copy of a data directory leads to the original's sockets.
        self._prefix = f"ibex-{hashlib.sha256(os.fsencode(directory)).hexdigest()[:12]}-"
        self._names = (socket_name, f"{socket_name}.lock")

    def prepare(self, account: Account) -> Path:
        """Return the directory, made when needed and free of what a killed server left in it."""
        outside = self._noted(account)
        if self._fits(self._inside):
            if outside is not None:
                self._discard(outside)
            make_private_directory(self._inside, account)
            chosen = self._inside
        else:
            chosen = outside or self._make_outside(account)
        self._clear(chosen)
        return chosen

    def release(self, account: Account) -> None:
        """Remove the directory in the temporary folder, when there is one."""
        outside = self._noted(account)
        if outside is not None:
            self._discard(outside)

    def _fits(self, folder: Path) -> bool:
        return len(os.fsencode(folder / self._socket_name)) <= _LONGEST_SOCKET_PATH

    def _make_outside(self, account: Account) -> Path:
        made = Path(tempfile.mkdtemp(prefix=self._prefix))
        if not self._fits(made):
            made.rmdir()
            made = Path(tempfile.mkdtemp(prefix=self._prefix, dir="/tmp"))
        make_private_directory(made, account)
        write_private_file(self._note, f"{made}\n")
        return made

    def _noted(self, account: Account) -> Path | None:
        try:
            noted = Path(self._note.read_text(encoding="utf-8").strip())
            status = noted.lstat()
        except FileNotFoundError:
            return None
        ours = (
            noted.name.startswith(self._prefix)
            and stat.S_ISDIR(status.st_mode)
            and status.st_uid == account.uid
            and stat.S_IMODE(status.st_mode) == 0o700
        )
        return noted if ours else None

    def _clear(self, folder: Path) -> None:
        for name in self._names:
            (folder / name).unlink(missing_ok=True)

    def _discard(self, folder: Path) -> None:
        self._clear(folder)
        with suppress(OSError):
            folder.rmdir()
        self._note.unlink(missing_ok=True)
