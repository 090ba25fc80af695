"""The bundled PostgreSQL takes memory as its data grow, and not before."""

import os
from pathlib import Path

from ibex.embedded.buffers import shared_buffers

_MIB = 1 << 20


def stored(folder: Path, size: int) -> Path:
    """A cluster of so many bytes, none of which is on the disk."""
    (folder / "base" / "5").mkdir(parents=True)
    with (folder / "base" / "5" / "16384").open("wb") as file:
        file.truncate(size)
    return folder


def test_a_small_cluster_has_as_much_as_postgresql_takes_by_default(tmp_path: Path) -> None:
    assert shared_buffers(stored(tmp_path, 40 * _MIB)) == 128 * _MIB


def test_a_larger_one_has_a_quarter_of_its_size(tmp_path: Path) -> None:
    assert shared_buffers(stored(tmp_path, 600 * _MIB)) == 300 * _MIB


def test_it_never_takes_most_of_the_machine(tmp_path: Path) -> None:
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")

    assert shared_buffers(stored(tmp_path, 8 * machine)) <= max(machine // 8, 128 * _MIB)
