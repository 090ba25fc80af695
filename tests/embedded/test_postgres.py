import os
import stat
import threading
from pathlib import Path

import psycopg
import pytest

from ibex.embedded import EmbeddedError, PostgresServer

from .running import ignore, rows, running_postgres

_ROLES = """
SELECT rolname, rolcanlogin, rolsuper, rolbypassrls, rolcreatedb, rolcreaterole, rolreplication
FROM pg_roles WHERE rolname LIKE 'ibex%' ORDER BY rolname
"""


def test_the_first_start_makes_roles_database_and_extension(data: Path) -> None:
    with running_postgres(data) as server:
        assert rows(server.superuser_dsn, _ROLES) == [
            ("ibex_owner", True, False, False, False, False, False),
            ("ibex_service", True, False, False, False, False, False),
        ]
        assert rows(
            server.owner_dsn, "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'ibex'"
        ) == [("ibex_owner",)]
        assert rows(server.service_dsn, "SELECT current_user, '[3,4]'::vector <-> '[0,0]'::vector") == [
            ("ibex_service", 5.0)
        ]
        assert rows(server.service_dsn, "SELECT FROM pg_class WHERE relowner = 'ibex_service'::regrole") == []


def test_the_owner_may_create_tables_and_the_service_may_not(data: Path) -> None:
    with running_postgres(data) as server:
        rows(server.owner_dsn, "CREATE TABLE memories (content text)")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            rows(server.service_dsn, "CREATE TABLE stray (content text)")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            rows(server.service_dsn, "SELECT * FROM memories")


def test_it_knows_letters_beyond_ascii(data: Path) -> None:
    with running_postgres(data) as server:
        assert rows(server.service_dsn, "SELECT lower('ÄŻ'), to_tsvector('simple', 'ÜBER')::text") == [
            ("äż", "'über':1")
        ]


def test_it_listens_on_a_unix_socket_only_and_is_durable(data: Path) -> None:
    names = (
        "listen_addresses",
        "data_checksums",
        "fsync",
        "synchronous_commit",
        "server_encoding",
        "TimeZone",
    )
    with running_postgres(data) as server:
        shown = {name: rows(server.service_dsn, f"SHOW {name}")[0][0] for name in names}
    assert shown == {
        "listen_addresses": "",
        "data_checksums": "on",
        "fsync": "on",
        "synchronous_commit": "on",
        "server_encoding": "UTF8",
        "TimeZone": "UTC",
    }


def test_a_wrong_password_is_refused(data: Path) -> None:
    with (
        running_postgres(data) as server,
        pytest.raises(psycopg.OperationalError, match="password authentication failed"),
    ):
        rows(server.service_dsn.replace("ibex_service:", "ibex_service:not-"), "SELECT 1")


def test_secrets_and_logs_are_for_the_launching_user_only(data: Path) -> None:
    with running_postgres(data):
        for path in (data / "postgres" / "passwords.json", data / "logs" / "postgres.log"):
            status = path.stat()
            assert (stat.S_IMODE(status.st_mode), status.st_uid) == (0o600, os.geteuid())


def test_no_data_reaches_the_log(data: Path) -> None:
    statements = (
        "SELECT 'hunter2'::integer",
        "SELECT hunter2",
        "INSERT INTO unique_names VALUES ('hunter2'), ('hunter2')",
    )
    with running_postgres(data) as server:
        rows(server.owner_dsn, "CREATE TABLE unique_names (name text PRIMARY KEY)")
        for statement in statements:
            with pytest.raises(psycopg.Error):
                rows(server.owner_dsn, statement)
        with psycopg.connect(server.owner_dsn) as connection, pytest.raises(psycopg.Error):
            connection.execute("SELECT %s::text::integer", ["hunter2"])
        password = server.owner_dsn.split(":")[2].split("@")[0]
    log = (data / "logs" / "postgres.log").read_text()
    assert "ready to accept connections" in log
    assert "hunter2" not in log
    assert password not in log


def test_data_addresses_and_passwords_survive_a_restart(data: Path) -> None:
    with running_postgres(data) as server:
        first = server.owner_dsn
        rows(server.owner_dsn, "CREATE TABLE memories AS SELECT 'kept' AS content")
    with running_postgres(data) as server:
        assert server.owner_dsn == first
        assert rows(server.owner_dsn, "SELECT content FROM memories") == [("kept",)]


def test_only_the_first_start_has_something_to_report(data: Path) -> None:
    reports: list[str] = []
    with running_postgres(data, report=reports.append):
        assert len(reports) == 1
    with running_postgres(data, report=reports.append):
        assert len(reports) == 1


def test_two_run_side_by_side(data: Path) -> None:
    with running_postgres(data / "one") as one, running_postgres(data / "two") as two:
        assert one.pid != two.pid
        rows(one.owner_dsn, "CREATE TABLE memories ()")
        assert rows(two.owner_dsn, "SELECT to_regclass('memories')") == [(None,)]


def test_it_can_be_stopped_twice_and_launched_again(data: Path) -> None:
    threads = threading.active_count()
    with running_postgres(data) as server:
        assert server.poll() is None
        server.stop()
        server.stop()
        assert server.pid is None
        assert server.poll() == 0
        server.launch()
        server.wait_ready()
        assert rows(server.service_dsn, "SELECT 1") == [(1,)]
    assert threading.active_count() == threads


def test_an_open_session_does_not_hold_up_a_stop(data: Path) -> None:
    with running_postgres(data) as server, psycopg.connect(server.owner_dsn) as connection:
        connection.execute("SELECT 1")
        server.stop()
        assert server.poll() == 0
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")


def test_launching_it_while_it_runs_is_refused(data: Path) -> None:
    with running_postgres(data) as server, pytest.raises(EmbeddedError, match="already running"):
        server.launch()


def test_it_has_no_address_before_launch(data: Path) -> None:
    server = PostgresServer(data / "postgres", report=ignore)
    with pytest.raises(EmbeddedError, match="Call launch"):
        server.owner_dsn  # noqa: B018
    with pytest.raises(EmbeddedError, match="Call launch"):
        server.wait_ready()


def test_a_terminal_cannot_interrupt_it(data: Path) -> None:
    with running_postgres(data) as server:
        assert server.pid is not None
        assert os.getsid(server.pid) == server.pid
