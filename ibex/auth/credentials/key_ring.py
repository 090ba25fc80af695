"""The master keys of a process: the one that seals, and older ones that still open."""

from collections.abc import Callable
from pathlib import Path
from typing import Self

from ibex.auth.credentials.master_key import MasterKey, MasterKeyError
from ibex.auth.installation import secret_file

Keys = tuple[MasterKey, ...]


class KeyRing:
    """Master keys, the primary one first.

    A ring in a file is read again when a key is asked for that it does not know, and before anything is
    sealed: that is how a process hears of a rotation. A line of the file is `<key id> <64 hex digits>`; the
    id is there for whoever edits it, and may be left out.
    """

    def __init__(self, read: Callable[[], Keys], file: Path | None) -> None:
        self._read = read
        self.file = file
        self._keys: Keys = ()

    @classmethod
    def given(cls, text: str) -> Self:
        """Keys from a setting, separated by commas. Raises `MasterKeyError`."""
        try:
            keys = tuple(MasterKey.parse(part) for part in text.split(",") if part.strip())
        except MasterKeyError as error:
            raise MasterKeyError(f"`master_key` (IBEX_MASTER_KEY) is wrong. {error}") from None
        if not keys:
            raise MasterKeyError("`master_key` is empty.")
        return cls(lambda: keys, None)

    @classmethod
    def in_file(cls, path: Path) -> Self:
        """Keys in a file, which is read when it is needed."""
        return cls(lambda: _read_file(path), path)

    def all(self) -> Keys:
        """Every key as of now; none when there is no file. Raises `MasterKeyError`."""
        self._keys = self._read()
        return self._keys

    def primary(self) -> MasterKey:
        """The key to seal with, as of now. Raises `MasterKeyError` when there is none."""
        keys = self.all()
        if not keys:
            raise MasterKeyError(
                f"There is no master key in {self.file}: restore it, or set IBEX_MASTER_KEY."
            )
        return keys[0]

    def find(self, key_id: str) -> MasterKey | None:
        """The key with an id. Raises `MasterKeyError` when the file cannot be read."""
        return self._known(key_id) or self._known(key_id, self.all())

    def put_first(self, key: MasterKey) -> None:
        """Make a key the primary one; the others stay. Raises `MasterKeyError`, for a given ring always."""
        if self.file is None:
            raise MasterKeyError("Master keys that are given by a setting are changed there.")
        text = "".join(f"{each.id} {each.secret.hex()}\n" for each in (key, *self.all()))
        try:
            secret_file.replace(self.file, text)
        except OSError as error:
            raise MasterKeyError(
                f"{self.file} cannot be written ({error.strerror}). "
                "Put a new key on its first line where it comes from, and run this again."
            ) from error

    def _known(self, key_id: str, keys: Keys | None = None) -> MasterKey | None:
        return next((key for key in (self._keys if keys is None else keys) if key.id == key_id), None)

    def __repr__(self) -> str:
        return f"KeyRing(file={self.file}, ids={[key.id for key in self._keys]})"


def keep_first_key(path: Path) -> None:
    """Generate a key and keep it in a file (0600), unless there is one. Raises `OSError`."""
    key = MasterKey.generate()
    secret_file.write_once(path, f"{key.id} {key.secret.hex()}\n")


def _read_file(path: Path) -> Keys:
    try:
        lines = path.read_text("ascii").splitlines()
    except FileNotFoundError:
        return ()
    except (OSError, UnicodeDecodeError) as error:
        raise MasterKeyError(f"{path} cannot be read: {_reason(error)}.") from error
    keys = tuple(_parse_line(path, line.split()) for line in lines if line.strip())
    if not keys:
        raise _damaged(path)
    return keys


def _parse_line(path: Path, words: list[str]) -> MasterKey:
    try:
        key = MasterKey.parse(words[-1])
    except MasterKeyError:
        raise _damaged(path) from None
    if words[:-1] not in ([], [key.id]):
        raise _damaged(path)
    return key


def _damaged(path: Path) -> MasterKeyError:
    return MasterKeyError(f"{path} is damaged: restore it from a backup, or set IBEX_MASTER_KEY.")


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or type(error).__name__
