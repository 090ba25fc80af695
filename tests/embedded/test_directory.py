import os
import signal
import stat
from pathlib import Path

import pytest

from ibex.embedded import DataDirectory, EmbeddedError

from .children import as_root_only, in_child, mount_tmpfs, waiting_child


def test_it_is_created_for_its_user_only(data: Path) -> None:
    directory = DataDirectory(data)
    assert stat.S_IMODE(directory.path.stat().st_mode) == 0o700
    directory.close()


def test_a_second_ibex_is_told_which_one_holds_it(data: Path) -> None:
    with (
        waiting_child(lambda: DataDirectory(data).path) as first,
        pytest.raises(EmbeddedError, match=rf"pid {first.pid}\).*Stop it first"),
    ):
        DataDirectory(data)


def test_it_is_free_again_after_close(data: Path) -> None:
    directory = DataDirectory(data)
    directory.close()
    directory.close()
    DataDirectory(data).close()


def test_it_is_free_again_after_its_holder_was_killed(data: Path) -> None:
    with waiting_child(lambda: DataDirectory(data).path) as holder:
        holder.kill()
    DataDirectory(data).close()


def test_closing_it_in_a_forked_worker_leaves_the_lock_with_the_supervisor(data: Path) -> None:
    directory = DataDirectory(data)
    in_child(directory.close)
    with pytest.raises(EmbeddedError, match=f"pid {os.getpid()}"):
        DataDirectory(data)
    directory.close()


def test_it_waits_for_the_dying_workers_of_a_killed_supervisor(data: Path) -> None:
    def supervise() -> int:
        DataDirectory(data)._descriptor = None  # kept open, as by a supervisor that is killed
        worker = os.fork()
        if worker == 0:
            signal.alarm(1)
            signal.pause()
        return worker

    with waiting_child(supervise) as supervisor:
        supervisor.kill()
        os.kill(supervisor.result, 0)
    DataDirectory(data).close()


def test_a_place_that_cannot_be_written_is_explained() -> None:
    with pytest.raises(EmbeddedError, match=r"Cannot use the data directory /sys/ibex: .*--data-dir"):
        DataDirectory(Path("/sys/ibex"))


def test_a_file_in_its_place_is_explained(data: Path) -> None:
    data.write_text("not a directory")
    with pytest.raises(EmbeddedError, match=r"File exists.*Choose another data directory"):
        DataDirectory(data)


@as_root_only
def test_a_read_only_disk_is_explained(tmp_path: Path) -> None:
    def use() -> str:
        try:
            mount_tmpfs(str(tmp_path), megabytes=1, read_only=True)
        except OSError as error:
            return f"skip: {error}"
        with pytest.raises(EmbeddedError) as raised:
            DataDirectory(tmp_path)
        return str(raised.value)

    said = in_child(use)
    if said.startswith("skip"):
        pytest.skip("this root may not mount")
    assert "Read-only file system" in said
    assert "Choose a writable data directory" in said
