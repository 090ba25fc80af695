"""The operating system user that a bundled server runs as."""

import os
import pwd
import sys
from dataclasses import dataclass
from pathlib import Path

from ibex.embedded.errors import EmbeddedError


@dataclass(frozen=True, slots=True)
class Account:
    """A user and its primary group; it is given no supplementary groups."""

    name: str
    uid: int
    gid: int

    @property
    def is_launcher(self) -> bool:
        """Whether servers keep the identity of the process that launches them."""
        return self.uid == os.geteuid()

    def can_read(self, path: Path) -> bool:
        """Whether the permission bits let this user walk down to `path` and read it (and run or enter it).

        Access control lists are not looked at.
        """
        real = path.resolve()
        return self._may(real, 0o5 if real.is_dir() or os.access(real, os.X_OK) else 0o4) and all(
            self._may(folder, 0o1) for folder in real.parents
        )

    def _may(self, path: Path, wanted: int) -> bool:
        status = path.stat()
        if status.st_uid == self.uid:
            granted = status.st_mode >> 6
        elif status.st_gid == self.gid:
            granted = status.st_mode >> 3
        else:
            granted = status.st_mode
        return granted & wanted == wanted


def server_account() -> Account:
    """Return the current user, or `nobody` when that is root, as whom PostgreSQL refuses to run.

    Raises `EmbeddedError` when root has no such user to become.
    """
    uid = os.geteuid()
    if uid != 0:
        return Account(name=_name(uid), uid=uid, gid=os.getegid())
    if sys.platform != "linux":
        raise EmbeddedError(
            "The bundled servers do not run as root on this system. Run ibex as an ordinary user."
        )
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError as error:
        raise EmbeddedError(
            "The bundled servers do not run as root, and there is no user `nobody` to run them as. "
            "Run ibex as an ordinary user."
        ) from error
    return Account(name=entry.pw_name, uid=entry.pw_uid, gid=entry.pw_gid)


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
