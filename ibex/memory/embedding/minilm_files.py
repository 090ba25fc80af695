"""The files of all-MiniLM-L6-v2, and what tells that they are the right ones."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

NAME = "all-MiniLM-L6-v2"


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One file by its name, its size in bytes and the SHA-256 of its content."""

    name: str
    size: int
    sha256: str


WEIGHTS = ModelFile(
    "model.safetensors", 90_868_376, "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
)
VOCABULARY = ModelFile(
    "vocab.txt", 231_508, "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3"
)
FILES = (WEIGHTS, VOCABULARY)


def is_present(folder: Path) -> bool:
    """Whether files of the right names and sizes are there, which costs nothing to see."""
    return all(_size(folder / file.name) == file.size for file in FILES)


def fault(folder: Path, file: ModelFile) -> str | None:
    """What is wrong with a file, as the end of a sentence about it; None when it is the right one."""
    path = folder / file.name
    try:
        if path.stat().st_size != file.size:
            return f"has {path.stat().st_size} bytes instead of {file.size}"
        with path.open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
    except FileNotFoundError:
        return "is missing"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    return None if found == file.sha256 else "is another file (its SHA-256 is a different one)"


def faults(folder: Path) -> list[str]:
    """A sentence for each file that is not the right one."""
    return [f"{folder / file.name} {found}." for file in FILES if (found := fault(folder, file)) is not None]


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1
