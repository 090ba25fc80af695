import os
import signal
import stat
from pathlib import Path
from typing import cast

import pytest
import redis

from ibex.embedded import EmbeddedError, ValkeyServer

from .running import client, ignore, running_valkey


def test_it_keeps_what_was_written_across_a_restart(data: Path) -> None:
    with running_valkey(data) as server, client(server.url) as connection:
        first = server.url
        connection.set("greeting", "hello")
    with running_valkey(data) as server, client(server.url) as connection:
        assert server.url == first
        assert connection.get("greeting") == "hello"


def test_it_is_durable_and_never_evicts(data: Path) -> None:
    wanted = {"appendonly": "yes", "appendfsync": "everysec", "maxmemory-policy": "noeviction", "port": "0"}
    with running_valkey(data) as server, client(server.url) as connection:
        settings = cast("dict[str, str]", connection.config_get("*"))
    assert wanted.items() <= settings.items()


def test_it_demands_the_password(data: Path) -> None:
    with running_valkey(data) as server:
        path = server.url.partition("@")[2]
        for url, error in (
            (f"unix://@{path}", redis.AuthenticationError),
            (f"unix://:guess@{path}", redis.AuthenticationError),
        ):
            with client(url) as connection, pytest.raises(error):
                connection.ping()


def test_the_password_is_in_private_files_only(data: Path) -> None:
    with running_valkey(data) as server:
        password = server.url.partition("@")[0].removeprefix("unix://:")
        assert password not in Path(f"/proc/{server.pid}/cmdline").read_text()
        assert password not in (data / "logs" / "valkey.log").read_text()
        for path in (data / "valkey" / "passwords.json", data / "valkey" / "valkey.conf"):
            status = path.stat()
            assert (stat.S_IMODE(status.st_mode), status.st_uid) == (0o600, os.geteuid())


@pytest.mark.parametrize(
    "command",
    [
        "CONFIG SET dir /",
        "ACL LIST",
        "DEBUG SLEEP 0",
        "MODULE LIST",
        "REPLICAOF localhost 1",
        "SHUTDOWN",
        "MONITOR",
    ],
)
def test_commands_that_reach_beyond_the_data_are_refused(data: Path, command: str) -> None:
    with (
        running_valkey(data) as server,
        client(server.url) as connection,
        pytest.raises(redis.ResponseError, match=r"no permissions|not allowed"),
    ):
        connection.execute_command(*command.split())  # type: ignore[no-untyped-call]


def test_scripts_and_streams_work(data: Path) -> None:
    with running_valkey(data) as server, client(server.url) as connection:
        assert str(connection.eval("return redis.call('INCR', KEYS[1])", 1, "counter")) == "1"
        connection.xadd("jobs", {"name": "trace.write"})
        assert connection.xlen("jobs") == 1


def test_two_run_side_by_side(data: Path) -> None:
    with (
        running_valkey(data / "one") as one,
        running_valkey(data / "two") as two,
        client(one.url) as first,
        client(two.url) as second,
    ):
        first.set("greeting", "hello")
        assert second.get("greeting") is None


def test_it_can_be_stopped_twice_and_launched_again(data: Path) -> None:
    with running_valkey(data) as server:
        server.stop()
        server.stop()
        assert (server.pid, server.poll()) == (None, 0)
        server.launch()
        server.wait_ready()
        with client(server.url) as connection:
            assert connection.ping()


def test_a_launcher_that_blocks_signals_can_still_stop_it(data: Path) -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    try:
        with running_valkey(data) as server:
            server.stop()
            assert server.poll() == 0
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def test_it_has_no_address_before_launch(data: Path) -> None:
    server = ValkeyServer(data / "valkey", report=ignore)
    with pytest.raises(EmbeddedError, match="Call launch"):
        server.url  # noqa: B018
    with pytest.raises(EmbeddedError, match="Call launch"):
        server.wait_ready()


@pytest.mark.parametrize("name", ['with "quotes"', "with spaces", "back\\slash", "comma,comma", "ümlaut"])
def test_any_folder_name_will_do(data: Path, name: str) -> None:
    with running_valkey(data / name) as server, client(server.url) as connection:
        assert connection.ping()
