"""What every store of objects can do."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

# Bytes of an object, which is held in memory as a whole. Archives stay far below it.
LARGEST = 64 << 20

_NAME = r"(?!\.{1,2}(?:/|$))[A-Za-z0-9._-]{1,128}"
_KEY = re.compile(rf"{_NAME}(?:/{_NAME}){{0,15}}")


class ObjectStoreError(Exception):
    """The store is away, refuses, or takes too long. The message holds no credential."""


class ObjectMissingError(ObjectStoreError):
    """There is no such object."""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """What a list tells of an object; `size` is in bytes."""

    key: str
    size: int
    modified_at: datetime


class ObjectStore(Protocol):
    """Objects by key: names of letters, digits, `.`, `_` and `-`, separated by `/`.

    Everything here raises `ObjectStoreError`.
    """

    async def put(self, key: str, content: bytes) -> None:
        """Store an object of at most `LARGEST` bytes, or another in its place: nobody ever sees a part."""
        ...

    async def get(self, key: str) -> bytes:
        """Raises `ObjectMissingError` when there is none."""
        ...

    def list(self, prefix: str = "") -> AsyncIterator[StoredObject]:
        """The objects below a prefix, which is empty or ends with `/`, in no order."""
        ...

    async def delete(self, key: str) -> None:
        """Remove an object; it does no harm when there is none."""
        ...

    async def ping(self) -> None:
        """Whether the store can be reached."""
        ...


def checked_key(key: str) -> str:
    """Raises `ValueError` for a key that could lead elsewhere."""
    if _KEY.fullmatch(key) is None:
        raise ValueError(f"{key!r} is no key of an object")
    return key


def checked_size(size: int) -> None:
    """Raises `ObjectStoreError` for what does not fit into memory."""
    if size > LARGEST:
        raise ObjectStoreError(f"an object of {size:,} bytes is larger than {LARGEST:,}")
