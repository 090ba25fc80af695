"""Told to stop, IBEX finishes what is in flight, writes it down, and ends with status 0."""

import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.embedded.running import is_gone, rows, running_postgres, wait_for
from tests.end_to_end.conftest import Launch
from tests.end_to_end.instance import Instance
from tests.end_to_end.streams import streaming
from tests.providers.payloads import CHUNKS
from tests.providers.threaded import ThreadedStub


@pytest.fixture
def instance(launch: Launch, data_dir: Path, threaded_stub: ThreadedStub) -> Instance:
    """Two web processes in front of a stub of the test's own."""
    extra = {"OPENAI_API_KEY": "sk-1", "OPENAI_BASE_URL": threaded_stub.base_url}
    return launch("--workers", "2", data_dir=data_dir, extra=extra).wait_ready()


def refuses_connections(instance: Instance) -> bool:
    try:
        socket.create_connection(("127.0.0.1", instance.port), timeout=5).close()
    except ConnectionRefusedError:
        return True
    return False


def outcomes(data_dir: Path) -> list[tuple[str, str | None]]:
    """Outcome and finish reason of every turn."""
    with running_postgres(data_dir) as postgres:
        return rows(postgres.superuser_dsn, "SELECT outcome, finish_reason FROM ibex.session_turns")


def to_the_process(instance: Instance) -> None:
    instance.signal(signal.SIGTERM)


def to_the_group(instance: Instance) -> None:
    """Ctrl-C in a terminal."""
    os.killpg(instance.pid, signal.SIGINT)


def hang_up(instance: Instance) -> None:
    """The terminal is closed."""
    os.killpg(instance.pid, signal.SIGHUP)


@pytest.mark.parametrize("tell", [to_the_process, to_the_group, hang_up])
def test_a_stream_in_flight_is_finished_and_recorded_and_nobody_else_let_in(
    instance: Instance, threaded_stub: ThreadedStub, tell: Callable[[Instance], None]
) -> None:
    tree = instance.tree()
    servers = [instance.server("postgres"), instance.server("valkey-server")]
    threaded_stub.step(3)
    with streaming(instance, "slow") as stream:
        stream.event()
        busy = stream.worker(instance)
        tell(instance)
        wait_for(lambda: refuses_connections(instance))
        # The idle web process goes; the job process stays until the last web process has gone.
        wait_for(lambda: len(instance.workers()) == 2)
        assert busy in instance.workers()
        assert not any(is_gone(server) for server in servers if server)
        threaded_stub.open_gate()
        events = stream.rest()
    assert len(events) == CHUNKS
    assert events[-1] == "[DONE]"
    assert instance.wait() == 0
    assert all(is_gone(pid) for pid in tree)
    assert outcomes(instance.data_dir) == [("ok", "stop")]
    assert "Stopping." in instance.stderr
    assert instance.stderr.endswith("\nStopped.\n")


def test_all_turns_of_a_burst_are_written(instance: Instance) -> None:
    with instance.openai() as client:
        for _ in range(20):
            client.chat.completions.create(
                model="gpt-4o-mini", messages=[{"role": "user", "content": "hello"}]
            )
    assert instance.stop() == 0
    assert outcomes(instance.data_dir) == [("ok", "stop")] * 20


def test_a_stream_that_outlasts_the_grace_is_cut_off_and_recorded(
    launch: Launch, data_dir: Path, threaded_stub: ThreadedStub
) -> None:
    extra = {"OPENAI_BASE_URL": threaded_stub.base_url, "IBEX_SHUTDOWN_SECONDS": "1"}
    instance = launch(data_dir=data_dir, extra=extra).wait_ready()
    threaded_stub.step(3)
    with streaming(instance, "slow") as stream:
        stream.event()
        instance.signal(signal.SIGTERM)
        assert instance.wait() == 0
    assert len(outcomes(instance.data_dir)) == 1


def test_a_second_interrupt_does_not_wait(instance: Instance, threaded_stub: ThreadedStub) -> None:
    tree = instance.tree()
    threaded_stub.step(3)
    with streaming(instance, "slow") as stream:
        stream.event()
        to_the_group(instance)
        wait_for(lambda: refuses_connections(instance))
        to_the_group(instance)
        assert instance.process.wait(10) == 0
    assert all(is_gone(pid) for pid in tree)
    assert '"level":"error"' not in instance.stdout.replace(" ", "")
    assert "it has not stopped" in instance.stdout


@pytest.mark.parametrize(
    "sign", ["data/lock", "data/postgres/cluster.new", "data/postgres/cluster", "data/credentials.json"]
)
def test_a_stop_during_the_first_start_leaves_nothing_and_the_next_start_goes_on(
    launch: Launch, tmp_path: Path, sign: str
) -> None:
    data_dir = tmp_path / "data"
    instance = launch(data_dir=data_dir)
    wait_for((tmp_path / sign).exists, seconds=30)
    tree = instance.tree()
    assert instance.stop() == 0
    wait_for(lambda: all(is_gone(pid) for pid in tree), seconds=5)
    assert "Traceback" not in instance.stderr + instance.stdout
    again = launch(data_dir=data_dir).wait_ready()
    assert again.is_ready()


def test_a_start_under_nohup_outlives_its_terminal(launch: Launch, data_dir: Path) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        instance = launch(data_dir=data_dir).wait_ready()
    finally:
        signal.signal(signal.SIGHUP, before)
    hang_up(instance)
    assert instance.is_ready()
    assert instance.stop() == 0
