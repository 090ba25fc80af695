"""How much of a cluster PostgreSQL keeps in its own memory."""

import os
from contextlib import suppress
from pathlib import Path

_LEAST = 128 << 20
_SHARE_OF_CLUSTER = 2
_SHARE_OF_MACHINE = 8
# Of the group of processes that this one is in, such as a container.
_LIMIT = Path("/sys/fs/cgroup/memory.max")


def shared_buffers(cluster: Path) -> int:
    """Bytes: half of what is stored, at most an eighth of the memory there is, at least 128 MiB.

    An index that finds vectors among a million is read all over at every search, and took half again as long
    to search from the system's cache as from here.
    """
    return max(_LEAST, min(_size(cluster) // _SHARE_OF_CLUSTER, _memory() // _SHARE_OF_MACHINE))


def _size(folder: Path) -> int:
    """Of the files below it; one that goes meanwhile does not count."""
    size = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):
                size += (Path(parent) / name).stat().st_size
    return size


def _memory() -> int:
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    with suppress(OSError, ValueError):
        return min(memory, int(_LIMIT.read_text()))
    return memory
