import os
import pwd
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory that does not exist yet, with a path short enough for sockets in it."""
    return tmp_path_factory.mktemp("d") / "data"


@pytest.fixture
def shared_folder() -> Iterator[Path]:
    """A folder that belongs to the ordinary user and that every user can reach."""
    folder = Path(tempfile.mkdtemp(prefix="ibex-test-", dir="/tmp"))
    folder.chmod(0o755)
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    yield folder
    shutil.rmtree(folder)
