import os
import shutil
import stat
import tempfile
from pathlib import Path
from urllib.parse import unquote

import pytest

from ibex.embedded import PostgresServer

from .children import waiting_child
from .running import client, ignore, rows, running_postgres, running_valkey


@pytest.fixture
def deep(data: Path) -> Path:
    """A data directory with a path too long for a socket."""
    return data / ("d" * 60) / ("e" * 60)


def _folder(dsn: str) -> Path:
    return Path(unquote(dsn.partition("host=")[2]))


def test_sockets_live_in_the_data_directory(data: Path) -> None:
    with running_postgres(data) as postgres, running_valkey(data) as valkey:
        assert _folder(postgres.owner_dsn) == data / "postgres" / "run"
        assert f"@{data}/valkey/run/valkey.sock?" in valkey.url


def test_sockets_of_a_deep_data_directory_live_in_a_private_temporary_one(deep: Path) -> None:
    with running_postgres(deep) as postgres, running_valkey(deep) as valkey, client(valkey.url) as connection:
        folder = _folder(postgres.owner_dsn)
        assert folder.parent == Path(tempfile.gettempdir())
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert rows(postgres.service_dsn, "SELECT 1") == [(1,)]
        assert connection.ping()
        address = Path(valkey.url.partition("@")[2].partition("?")[0])
    assert not folder.exists()
    assert not address.parent.exists()


def test_the_temporary_directory_of_a_killed_launcher_is_used_again(deep: Path) -> None:
    def launch() -> str:
        server = PostgresServer(deep / "postgres", report=ignore)
        server.launch()
        server.wait_ready()
        return server.owner_dsn

    with waiting_child(launch) as launcher:
        launcher.kill()
    with running_postgres(deep) as server:
        assert server.owner_dsn == launcher.result
        assert rows(server.service_dsn, "SELECT 1") == [(1,)]
    assert not _folder(launcher.result).exists()


def test_a_copied_data_directory_leaves_the_sockets_of_the_original_alone(deep: Path) -> None:
    copy = deep.with_name("f" * 60)
    with running_valkey(deep) as original:
        shutil.copytree(
            deep / "valkey", copy / "valkey", ignore=shutil.ignore_patterns("*.sock", "run", "data")
        )
        with running_valkey(copy) as other:
            assert other.url != original.url
        with client(original.url) as connection:
            assert connection.ping()


def test_a_noted_directory_that_others_may_enter_is_not_used(deep: Path) -> None:
    with running_valkey(deep) as server:
        folder = Path(server.url.partition("@")[2].partition("?")[0]).parent
    folder.mkdir(mode=0o700)
    folder.chmod(0o755)
    (deep / "valkey" / "socket-directory").write_text(f"{folder}\n")
    try:
        with running_valkey(deep) as server:
            assert os.fspath(folder) not in server.url
    finally:
        folder.rmdir()
