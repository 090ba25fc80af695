"""A user without privileges, who is `nobody` when the tests run as root."""

import os
import pwd
import shutil
import signal
import sys
import sysconfig
import tempfile
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest

from ibex.cli import main
from tests.embedded.running import is_gone, wait_for
from tests.end_to_end.instance import environment, free_port
from tests.end_to_end.processes import descendants


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder that belongs to the ordinary user."""
    folder = Path(tempfile.mkdtemp(prefix="ibex-test-", dir="/tmp"))
    folder.chmod(0o755)
    (folder / "stdout").touch()
    (folder / "stderr").touch()
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        for path in (folder, *folder.iterdir()):
            os.chown(path, nobody.pw_uid, nobody.pw_gid)
    yield folder
    shutil.rmtree(folder)


def as_ordinary_user(home: Path, *arguments: str) -> int:
    """The pid of a forked process that runs a command; an interpreter below /root could not be executed."""
    pid = os.fork()
    if pid == 0:
        _become_ibex(home, *arguments)
    return pid


def _become_ibex(home: Path, *arguments: str) -> None:
    status = 70
    try:
        os.setsid()
        if os.geteuid() == 0:
            _keep_standard_library_in_reach()
            nobody = pwd.getpwnam("nobody")
            os.setgroups([])
            os.setgid(nobody.pw_gid)
            os.setuid(nobody.pw_uid)
        os.chdir(home)
        os.environ.clear()
        os.environ.update(environment())
        for number, name in ((1, "stdout"), (2, "stderr")):
            os.dup2(os.open(home / name, os.O_WRONLY | os.O_TRUNC), number)
        sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
        main(list(arguments), prog_name="ibex")
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else 1
    except BaseException:  # noqa: BLE001 - the parent reads it, whatever it is
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def _keep_standard_library_in_reach() -> None:
    """What is imported later is found through an open folder, for which those above it do not matter."""
    library = sysconfig.get_path("stdlib")
    opened = f"/proc/self/fd/{os.open(library, os.O_RDONLY | os.O_DIRECTORY)}"
    paths = [sys.path, *(module.__path__ for module in sys.modules.values() if hasattr(module, "__path__"))]
    for path in paths:
        if isinstance(path, list):
            path[:] = [entry.replace(library, opened, 1) for entry in path]


def test_an_ordinary_user_serves_stops_and_starts_again(home: Path) -> None:
    for _ in range(2):
        pid = as_ordinary_user(home, "serve", f"--port={free_port()}")
        try:
            wait_for(lambda: "Shell:" in (home / "stderr").read_text(), seconds=60)
            tree = descendants(pid)
            assert {Path(f"/proc/{member}").stat().st_uid for member in tree} == {
                (home / ".ibex").stat().st_uid
            }
        finally:
            os.kill(pid, signal.SIGTERM)
            _, status = os.waitpid(pid, 0)
        assert os.waitstatus_to_exitcode(status) == 0, (home / "stderr").read_text()
        assert all(is_gone(member) for member in tree)
        (home / "stderr").write_text("", "utf-8")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to have a folder that the user may not write")
def test_a_data_directory_that_may_not_be_written(home: Path, tmp_path: Path) -> None:
    closed = Path(tempfile.mkdtemp(prefix="ibex-closed-", dir="/tmp"))
    closed.chmod(0o755)
    try:
        pid = as_ordinary_user(home, "--data-dir", str(closed / "data"), "serve", f"--port={free_port()}")
        _, status = os.waitpid(pid, 0)
        said = (home / "stderr").read_text()
        assert os.waitstatus_to_exitcode(status) == 1
        assert f"The data directory {closed}/data cannot be created: Permission denied" in said
        assert "--data-dir" in said
        assert "Traceback" not in said
    finally:
        closed.rmdir()
