"""Processes that die are replaced, and nobody else notices."""

import http.client
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.embedded.running import is_gone, wait_for
from tests.end_to_end.instance import Instance, copy_data_dir
from tests.end_to_end.processes import has_connection_from
from tests.end_to_end.streams import streaming
from tests.providers import behaviours
from tests.providers.payloads import CHUNKS
from tests.providers.threaded import ThreadedStub


@pytest.fixture(scope="module")
def pair(
    used_data_dir: Path, stub: ThreadedStub, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Instance]:
    """An instance with two web processes and no others, in front of the stub."""
    folder = tmp_path_factory.mktemp("pair")
    extra = {"OPENAI_API_KEY": "sk-1", "OPENAI_BASE_URL": stub.base_url}
    data_dir = copy_data_dir(used_data_dir, folder / "data")
    instance = Instance(folder, "--workers", "2", "--jobs", "0", data_dir=data_dir, extra=extra)
    try:
        instance.wait_ready()
        wait_for(lambda: len(serving(instance)) == 2)
        yield instance
    finally:
        assert instance.stop() == 0


def serving(instance: Instance) -> set[int]:
    """The web processes that some of a few new connections are served by; each is answered."""
    found = set()
    for _ in range(8):
        connection = http.client.HTTPConnection("127.0.0.1", instance.port, timeout=10)
        try:
            connection.request("GET", "/health")
            response = connection.getresponse()
            assert response.status == 200, response.read()
            response.read()
            port: int = connection.sock.getsockname()[1]
            found |= {pid for pid in instance.workers() if has_connection_from(pid, port)}
        finally:
            connection.close()
    return found


def test_a_killed_web_process_is_replaced_and_its_neighbour_untouched(
    pair: Instance, stub: ThreadedStub, record_property: Callable[[str, object], None]
) -> None:
    stub.script(behaviours.slow)
    stub.step(3)
    with streaming(pair, "gpt-4o-mini") as stream:
        stream.event()
        busy = stream.worker(pair)
        (idle,) = set(pair.workers()) - {busy}
        began = time.monotonic()
        os.kill(idle, signal.SIGKILL)
        # Every request meanwhile must succeed, or `serving` fails.
        wait_for(lambda: bool(serving(pair) - {busy, idle}), seconds=5)
        record_property("seconds_to_replacement", time.monotonic() - began)
        assert is_gone(idle)
        stub.open_gate()
        events = stream.rest()
    assert len(events) == CHUNKS
    assert events[-1] == "[DONE]"
    assert f"({idle}) has ended with signal 9 and is replaced" in pair.stdout


def test_one_that_is_killed_again_and_again_is_back_within_a_second_each_time(pair: Instance) -> None:
    for _ in range(6):
        before = pair.workers()
        os.kill(before[0], signal.SIGKILL)
        wait_for(lambda before=before: len(set(pair.workers()) - set(before)) == 1, seconds=2)  # type: ignore[misc]
        wait_for(lambda: len(serving(pair)) == 2, seconds=5)


def test_one_that_is_asked_to_stop_by_somebody_else_is_replaced_and_turns_nobody_away(pair: Instance) -> None:
    for _ in range(4):
        before = pair.workers()
        os.kill(before[1], signal.SIGTERM)
        # Whoever it let in last is answered, or `serving` fails.
        wait_for(lambda before=before: bool(serving(pair) - set(before)), seconds=5)  # type: ignore[misc]
        assert len(pair.workers()) == 2


def test_the_supervisor_has_no_threads_that_a_fork_would_lose(pair: Instance) -> None:
    assert len(list(Path(f"/proc/{pair.pid}/task").iterdir())) == 1


def test_no_process_holds_what_it_has_no_business_with(pair: Instance) -> None:
    """Web processes share the lifeline's read end; its write end is the supervisor's alone."""

    def pipes(pid: int, *, writable: bool) -> set[str]:
        found = set()
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            target = str(entry.readlink())
            flags = int(
                Path(f"/proc/{pid}/fdinfo/{entry.name}").read_text().partition("flags:")[2].split()[0], 8
            )
            if target.startswith("pipe:") and bool(flags & os.O_ACCMODE) == writable:
                found.add(target)
        return found

    own = pipes(pair.pid, writable=True)
    lifelines = set.intersection(*(pipes(pid, writable=False) for pid in pair.workers())) & own
    assert len(lifelines) == 1
    for pid in pair.tree():
        if pid != pair.pid:
            assert not lifelines & pipes(pid, writable=True)


@pytest.mark.parametrize("name", ["postgres", "valkey-server"])
def test_a_killed_bundled_server_is_restarted_and_the_service_recovers(pair: Instance, name: str) -> None:
    old = pair.server(name)
    assert old is not None
    os.kill(old, signal.SIGKILL)
    wait_for(lambda: pair.server(name) not in (None, old), seconds=20)
    wait_for(pair.is_ready, seconds=20)
    with pair.openai() as client:
        created = client.chat.completions.create(
            model="gpt-4o-mini", messages=[{"role": "user", "content": "hello"}]
        )
    assert created.choices
    assert pair.ibex("agent", "list").returncode == 0
