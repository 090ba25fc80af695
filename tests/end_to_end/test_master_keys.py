"""Master keys in a whole installation: lost, wrong, found again, and rotated while it serves."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.conftest import Launch
from tests.end_to_end.instance import Instance, run_ibex
from tests.providers.stub import StubProvider
from tests.providers.threaded import ThreadedStub

OWN = "sk-of-the-default-0123456789a1b2"
PLATFORM = "sk-upstream-0123456789"
WRONG = "33" * 32


@pytest.fixture
def upstream() -> Iterator[ThreadedStub]:
    with StubProvider.run_in_thread() as running:
        yield running


@pytest.fixture
def environment(upstream: ThreadedStub) -> dict[str, str]:
    return {"OPENAI_API_KEY": PLATFORM, "OPENAI_BASE_URL": upstream.base_url}


def say(instance: Instance) -> None:
    with instance.openai() as client:
        client.chat.completions.create(model="any", messages=[{"role": "user", "content": "Hello!"}])


def set_key(instance: Instance, environment: dict[str, str]) -> None:
    done = run_ibex(
        *("--data-dir", str(instance.data_dir), "credential", "set", "openai"),
        folder=instance.folder,
        extra=environment,
        stdin=OWN,
    )
    assert done.returncode == 0, done.stderr


def secrets_in(data_dir: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (data_dir / "secrets").iterdir()}


def test_a_start_without_the_right_master_key_is_refused_and_destroys_nothing(
    launch: Launch, data_dir: Path, upstream: ThreadedStub, environment: dict[str, str], tmp_path: Path
) -> None:
    first = launch("--jobs", "0", data_dir=data_dir, extra=environment).wait_ready()
    set_key(first, environment)
    assert first.stop() == 0
    file = data_dir / "secrets" / "master-keys"
    kept = secrets_in(data_dir)

    file.rename(tmp_path / "away")
    lost = launch("--jobs", "0", data_dir=data_dir, extra=environment)
    assert lost.wait() == 1
    assert "sealed under the master key" in lost.stderr
    assert "Put the missing key back" in lost.stderr
    assert "Traceback" not in lost.stderr
    assert not file.exists()

    wrong = launch("--jobs", "0", data_dir=data_dir, extra={**environment, "IBEX_MASTER_KEY": WRONG})
    assert wrong.wait() == 1
    assert "IBEX_MASTER_KEY has" in wrong.stderr
    assert WRONG not in wrong.stderr + wrong.stdout
    assert not file.exists()

    (tmp_path / "away").rename(file)
    assert secrets_in(data_dir) == kept
    again = launch("--jobs", "0", data_dir=data_dir, extra=environment).wait_ready()
    say(again)
    assert [request.key for request in upstream.requests] == [OWN]


def test_master_keys_are_rotated_while_two_processes_serve(
    launch: Launch, data_dir: Path, upstream: ThreadedStub, environment: dict[str, str]
) -> None:
    running = launch(
        *("--workers", "2", "--jobs", "0"),
        data_dir=data_dir,
        extra={**environment, "IBEX_TOKEN_CACHE_SECONDS": "0"},
    ).wait_ready()
    set_key(running, environment)
    stopping = threading.Event()
    errors: list[Exception] = []

    def keep_saying() -> None:
        try:
            while not stopping.is_set():
                say(running)
        except Exception as error:  # noqa: BLE001
            errors.append(error)

    callers = [threading.Thread(target=keep_saying) for _ in range(4)]
    for caller in callers:
        caller.start()
    try:
        for _ in range(2):
            done = running.ibex("keys", "rotate")
            assert done.returncode == 0, done.stderr
            assert "Provider keys sealed anew" in done.stdout
    finally:
        stopping.set()
        for caller in callers:
            caller.join()
    assert errors == []
    say(running)
    assert {request.key for request in upstream.requests} == {OWN}
    # What is set now is sealed under the newest key, by processes that have never been told of it.
    set_key(running, environment)
    listed = json.loads(running.ibex("keys", "list", "--json").stdout)
    assert [key["credentials"] for key in listed] == [1, 0, 0]
