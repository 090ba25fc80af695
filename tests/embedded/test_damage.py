"""Data, disks and installations that a server cannot work with, and what the user is told."""

import os
import platform
import signal
from pathlib import Path

import pytest

from ibex.embedded import EmbeddedError, PostgresServer, ValkeyServer

from .children import as_root_only, in_child, mount_tmpfs
from .running import ignore, running_postgres, running_valkey


@pytest.fixture
def used(data: Path) -> Path:
    """A data directory in which PostgreSQL has run before."""
    with running_postgres(data):
        pass
    return data


def _fails_to_launch(data: Path, sentence: str) -> None:
    with pytest.raises(EmbeddedError, match=sentence):
        PostgresServer(data / "postgres", report=ignore).launch()


def test_a_cluster_of_another_version_is_named(used: Path) -> None:
    (used / "postgres/cluster/PG_VERSION").write_text("16\n")
    _fails_to_launch(used, r"written by PostgreSQL 16; this ibex brings PostgreSQL 18.*pg_dump")


def test_a_folder_that_is_no_cluster_is_left_alone(data: Path) -> None:
    (data / "postgres" / "cluster").mkdir(parents=True)
    (data / "postgres" / "cluster" / "holiday.jpg").touch()
    _fails_to_launch(data, "holds no PostgreSQL cluster.*backup")
    assert (data / "postgres" / "cluster" / "holiday.jpg").exists()


def test_lost_passwords_are_explained(used: Path) -> None:
    (used / "postgres" / "passwords.json").unlink()
    _fails_to_launch(used, r"passwords.json is missing. Restore it")


@pytest.mark.parametrize("text", ["", "{}", "[]", "not json"])
def test_damaged_passwords_are_explained(used: Path, text: str) -> None:
    (used / "postgres" / "passwords.json").write_text(text)
    _fails_to_launch(used, r"passwords.json is damaged. Restore it")


def test_a_server_that_ends_while_starting_shows_its_log(used: Path) -> None:
    with (used / "postgres/cluster/postgresql.conf").open("a") as configuration:
        configuration.write("no_such_parameter = on\n")
    with (
        pytest.raises(EmbeddedError, match=r"exit status 1.*(?s:.*)no_such_parameter"),
        running_postgres(used),
    ):
        pass


def test_a_server_that_takes_too_long_is_reported(used: Path) -> None:
    server = PostgresServer(used / "postgres", report=ignore)
    server.launch()
    assert server.pid is not None
    os.kill(server.pid, signal.SIGSTOP)
    try:
        (used / "postgres/cluster/postmaster.pid").unlink(missing_ok=True)
        with pytest.raises(EmbeddedError, match=r"did not become ready in time"):
            server.wait_ready(timeout=0.1)
    finally:
        os.kill(server.pid, signal.SIGKILL)
        server.stop()


def test_damaged_valkey_data_is_reported_with_the_log(data: Path) -> None:
    with running_valkey(data):
        pass
    (data / "valkey/data/appendonlydir/appendonly.aof.manifest").write_text("nonsense\n")
    with (
        pytest.raises(EmbeddedError, match=r"(?s)Valkey ended while starting.*manifest"),
        running_valkey(data),
    ):
        pass


def test_a_platform_without_a_bundled_server_is_told_what_to_set(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    with pytest.raises(EmbeddedError, match=r"no bundled Valkey .*riscv64.* set IBEX_REDIS_URL"):
        ValkeyServer(data / "valkey", report=ignore).launch()


def test_a_missing_wheel_is_told_what_to_install(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.path", [])
    with pytest.raises(EmbeddedError, match=r"no bundled PostgreSQL 18.*pip install.*set IBEX_POSTGRES_DSN"):
        PostgresServer(data / "postgres", report=ignore).launch()


@as_root_only
@pytest.mark.parametrize("megabytes", [1, 24])
def test_a_full_disk_is_explained(tmp_path: Path, megabytes: int) -> None:
    def start() -> str:
        try:
            mount_tmpfs(str(tmp_path), megabytes=megabytes)
        except OSError as error:
            return f"skip: {error}"
        with pytest.raises(EmbeddedError) as raised, running_postgres(tmp_path):
            pass
        assert not (tmp_path / "postgres" / "cluster").exists()
        return str(raised.value)

    said = in_child(start)
    if said.startswith("skip"):
        pytest.skip("this root may not mount")
    assert "No space left on device" in said
    assert "start again" in said


@as_root_only
def test_a_read_only_disk_is_explained(tmp_path: Path) -> None:
    def start() -> str:
        try:
            mount_tmpfs(str(tmp_path), megabytes=1, read_only=True)
        except OSError as error:
            return f"skip: {error}"
        with pytest.raises(EmbeddedError) as raised, running_valkey(tmp_path):
            pass
        return str(raised.value)

    said = in_child(start)
    if said.startswith("skip"):
        pytest.skip("this root may not mount")
    assert "Cannot start Valkey" in said
    assert "Read-only file system" in said


def test_a_log_that_has_grown_large_is_put_aside(used: Path) -> None:
    log = used / "logs" / "postgres.log"
    log.write_bytes(b"x" * (9 * 1024 * 1024))
    with running_postgres(used):
        assert log.stat().st_size < 10_000
        assert log.with_name("postgres.log.1").stat().st_size == 9 * 1024 * 1024
