"""Files and directories that only one user may read."""

import json
import os
import secrets
import stat
from collections.abc import Iterable
from pathlib import Path

from ibex.embedded.account import Account
from ibex.embedded.errors import EmbeddedError

_PASSWORD_BYTES = 32


def write_private_file(path: Path, text: str) -> None:
    """Replace `path` by a 0600 file holding `text`: whole or not at all, and on disk on return."""
    draft = path.with_name(f"{path.name}.new")
    draft.unlink(missing_ok=True)
    create_private_file(draft, text)
    draft.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def create_private_file(path: Path, text: str, owner: Account | None = None) -> None:
    """Create the 0600 file `path`, which must not exist yet, for `owner` or the current user."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        if owner is not None and not owner.is_launcher:
            os.fchown(descriptor, owner.uid, owner.gid)
        file.write(text)
        file.flush()
        os.fsync(descriptor)


def make_private_directory(path: Path, owner: Account) -> None:
    """Make `path` a 0700 directory of `owner`, keeping what is in it.

    Raises `EmbeddedError` when it is something else or belongs to somebody else.
    """
    path.mkdir(mode=0o700, exist_ok=True)
    # Opened without following links: root must not be led to chown a folder elsewhere.
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        if os.fstat(folder).st_uid not in (owner.uid, os.geteuid()):
            raise EmbeddedError(
                f"{path} belongs to user {os.fstat(folder).st_uid}, but the server runs as {owner.name}. "
                f"Run ibex as the user who created it, or give it away: chown -R {owner.name} {path}"
            )
        if not owner.is_launcher:
            os.fchown(folder, owner.uid, owner.gid)
        if stat.S_IMODE(os.fstat(folder).st_mode) != 0o700:
            os.fchmod(folder, 0o700)
    finally:
        os.close(folder)


def read_or_create_passwords(path: Path, names: Iterable[str]) -> dict[str, str]:
    """Return the passwords kept in the JSON file `path`, one per name; make them at random the first time.

    Raises `EmbeddedError` when the file is damaged.
    """
    if not path.exists():
        passwords = {name: secrets.token_urlsafe(_PASSWORD_BYTES) for name in names}
        write_private_file(path, json.dumps(passwords))
        return passwords
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        return {name: str(kept[name]) for name in names}
    except (ValueError, KeyError, TypeError) as error:
        raise EmbeddedError(
            f"{path} is damaged. Restore it from a backup, "
            f"or move {path.parent} away to start with empty data."
        ) from error
