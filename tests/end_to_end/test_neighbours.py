"""Several instances on one machine, and what they may not share."""

import socket
from pathlib import Path

from tests.embedded.running import wait_for
from tests.end_to_end.conftest import Launch
from tests.end_to_end.instance import copy_data_dir, free_port, run_ibex


def test_two_run_side_by_side_and_know_nothing_of_each_other(
    launch: Launch, used_data_dir: Path, tmp_path: Path
) -> None:
    one = launch(data_dir=copy_data_dir(used_data_dir, tmp_path / "one"))
    two = launch(data_dir=tmp_path / "two")
    one.wait_ready()
    two.wait_ready()
    assert one.ibex("agent", "create", "Only one").returncode == 0
    assert "only-one" in one.ibex("agent", "list").stdout
    assert "only-one" not in two.ibex("agent", "list").stdout
    assert one.stop() == 0
    assert two.is_ready()


def test_a_second_one_on_the_same_data_directory_is_refused(launch: Launch, data_dir: Path) -> None:
    first = launch(data_dir=data_dir).wait_ready()
    refused = run_ibex("--data-dir", str(data_dir), "serve", f"--port={free_port()}", folder=first.folder)
    assert refused.returncode == 1
    assert f"Another ibex (pid {first.pid}) is using {data_dir}" in refused.stderr
    assert "--data-dir" in refused.stderr
    assert first.is_ready()
    assert (data_dir / "runtime.json").exists()


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = run_ibex("serve", f"--port={port}", folder=tmp_path)
    assert refused.returncode == 1
    assert f"127.0.0.1:{port} cannot be listened on: Address already in use." in refused.stderr
    assert 'make run ARGS="--port 8081"' in refused.stderr
    assert not (tmp_path / ".ibex").exists()


def test_a_port_that_another_takes_while_ibex_starts(
    launch: Launch, used_data_dir: Path, tmp_path: Path
) -> None:
    """Both have reserved it before either listens."""
    port = free_port()
    both = [
        launch(data_dir=copy_data_dir(used_data_dir, tmp_path / name), port=port) for name in ("one", "two")
    ]
    wait_for(lambda: any(instance.process.poll() is not None for instance in both), seconds=60)
    (refused,) = (instance for instance in both if instance.process.poll() is not None)
    (served,) = (instance for instance in both if instance is not refused)
    assert refused.wait() == 1
    assert f"127.0.0.1:{port} cannot be listened on" in refused.stderr
    assert "Traceback" not in refused.stderr + refused.stdout
    assert served.wait_ready().is_ready()
