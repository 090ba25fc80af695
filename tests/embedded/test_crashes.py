"""What is left after a sudden death, and that the next start copes with it."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from ibex.embedded import PostgresServer, ValkeyServer

from .children import in_child, waiting_child
from .running import client, ignore, is_gone, rows, running_postgres, running_valkey, wait_for


def _launch_both(data: Path) -> tuple[int | None, int | None]:
    postgres = PostgresServer(data / "postgres", report=ignore)
    valkey = ValkeyServer(data / "valkey", report=ignore)
    postgres.launch()
    valkey.launch()
    postgres.wait_ready()
    valkey.wait_ready()
    rows(postgres.owner_dsn, "CREATE TABLE IF NOT EXISTS memories AS SELECT 'kept' AS content")
    return postgres.pid, valkey.pid


def test_both_servers_end_when_their_launcher_is_killed(data: Path) -> None:
    with waiting_child(lambda: _launch_both(data)) as launcher:
        launcher.kill()
        for pid in launcher.result:
            wait_for(lambda pid=pid: is_gone(pid), seconds=5)  # type: ignore[misc]
    with running_postgres(data) as postgres, running_valkey(data) as valkey, client(valkey.url) as connection:
        assert rows(postgres.owner_dsn, "SELECT content FROM memories") == [("kept",)]
        assert connection.ping()


def test_a_start_right_after_the_launcher_was_killed_waits_for_the_old_servers(data: Path) -> None:
    with waiting_child(lambda: _launch_both(data)) as launcher:
        old_postgres, old_valkey = launcher.result
        for pid in launcher.result:
            os.kill(pid, signal.SIGSTOP)  # a shutdown that takes its time
        launcher.kill()

    def go_on(pid: int) -> Callable[[str], None]:
        def report(sentence: str) -> None:
            assert f"(pid {pid})" in sentence
            os.kill(pid, signal.SIGCONT)

        return report

    with (
        running_postgres(data, report=go_on(old_postgres)) as postgres,
        running_valkey(data, report=go_on(old_valkey)) as valkey,
        client(valkey.url) as connection,
    ):
        assert is_gone(old_postgres)
        assert is_gone(old_valkey)
        assert rows(postgres.owner_dsn, "SELECT content FROM memories") == [("kept",)]
        assert connection.ping()


def test_killed_servers_are_launched_again_at_the_same_address(data: Path) -> None:
    with running_postgres(data) as postgres, running_valkey(data) as valkey:
        addresses = (postgres.owner_dsn, valkey.url)
        for server in (postgres, valkey):
            assert server.pid is not None
            os.kill(server.pid, signal.SIGKILL)
            wait_for(lambda server=server: server.poll() == -signal.SIGKILL)  # type: ignore[misc]
            server.launch()
            server.wait_ready()
        assert (postgres.owner_dsn, valkey.url) == addresses
        assert rows(postgres.owner_dsn, "SELECT 1") == [(1,)]
        with client(valkey.url) as connection:
            assert connection.ping()


def test_a_stale_pid_that_another_process_of_the_same_user_has_now_is_no_obstacle(data: Path) -> None:
    with running_postgres(data) as postgres, running_valkey(data) as valkey:
        assert postgres.pid is not None
        os.kill(postgres.pid, signal.SIGKILL)
        wait_for(lambda: postgres.pid is None)
        for stale in (data / "postgres/cluster/postmaster.pid", data / "postgres/run/.s.PGSQL.5432.lock"):
            lines = stale.read_text().splitlines(keepends=True)
            stale.write_text("".join([f"{valkey.pid}\n", *lines[1:]]))
        postgres.launch()
        postgres.wait_ready()
        assert rows(postgres.owner_dsn, "SELECT 1") == [(1,)]


def test_a_first_start_killed_during_initdb_is_repaired(data: Path) -> None:
    def launch() -> None:
        PostgresServer(data / "postgres", report=ignore).launch()

    def start_and_die() -> int:
        launcher = os.fork()
        if launcher == 0:
            try:
                launch()
            finally:
                os._exit(0)
        wait_for((data / "postgres/cluster.new/cluster/global").exists)
        os.kill(launcher, signal.SIGKILL)
        return os.waitpid(launcher, 0)[1]

    assert os.WTERMSIG(in_child(start_and_die)) == signal.SIGKILL
    assert not (data / "postgres/cluster").exists()
    with running_postgres(data) as server:
        assert rows(server.service_dsn, "SELECT current_user") == [("ibex_service",)]
    assert not (data / "postgres/cluster.new").exists()


@pytest.mark.parametrize(
    "undone",
    [
        "DROP EXTENSION vector",
        "DROP DATABASE ibex (FORCE)",
        "DROP DATABASE ibex (FORCE); DROP ROLE ibex_owner; DROP ROLE ibex_service",
        "ALTER ROLE ibex_service SUPERUSER PASSWORD 'other'",
    ],
)
def test_a_first_start_killed_before_it_was_complete_is_repaired(data: Path, undone: str) -> None:
    with running_postgres(data) as server:
        database = "/ibex?" if "EXTENSION" in undone else "/postgres?"
        for statement in undone.split(";"):
            rows(server.superuser_dsn.replace("/ibex?", database), statement)
    (data / "postgres" / "provisioned").unlink()
    with running_postgres(data) as server:
        assert rows(server.service_dsn, "SELECT '[1]'::vector::text") == [("[1]",)]
        rows(server.owner_dsn, "CREATE TABLE memories ()")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            rows(server.service_dsn, "SELECT * FROM pg_authid")


def test_a_forked_worker_cannot_stop_the_servers(data: Path) -> None:
    deep = data / ("d" * 60) / ("e" * 60)  # has socket directories that a stop removes
    with running_postgres(deep) as postgres, running_valkey(deep) as valkey:

        def unwind() -> None:
            postgres.stop()
            valkey.stop()

        in_child(unwind)
        assert rows(postgres.service_dsn, "SELECT 1") == [(1,)]
        with client(valkey.url) as connection:
            assert connection.ping()
