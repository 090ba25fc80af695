"""A Valkey cluster of one node that holds every slot."""

import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import redis

from ibex.embedded.account import server_account
from ibex.embedded.binaries import valkey_binary


class Cluster:
    """The node; it keeps its port when it is launched again."""

    def __init__(self, directory: Path) -> None:
        self._port, self._bus = _free_port(), _free_port()
        self._directory = directory
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis+cluster://127.0.0.1:{self._port}"

    def launch(self) -> None:
        self._process = subprocess.Popen(
            [
                str(valkey_binary(server_account(), report=lambda sentence: None)),
                *("--port", str(self._port), "--bind", "127.0.0.1", "--dir", str(self._directory)),
                *("--cluster-enabled", "yes", "--cluster-port", str(self._bus), "--save", ""),
            ],
            stdout=subprocess.DEVNULL,
        )
        client = redis.Redis(port=self._port)
        _wait_until(lambda: _is_up(client))
        if _info(client)["cluster_slots_assigned"] == "0":
            client.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)  # type: ignore[no-untyped-call]
        _wait_until(lambda: _info(client)["cluster_state"] == "ok")
        client.close()

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()


@contextmanager
def running_cluster(directory: Path) -> Iterator[Cluster]:
    cluster = Cluster(directory)
    try:
        cluster.launch()
        yield cluster
    finally:
        cluster.kill()


def _info(client: "redis.Redis") -> dict[str, str]:
    info: dict[str, str] = client.execute_command("CLUSTER INFO")  # type: ignore[no-untyped-call]
    return info


def _is_up(client: "redis.Redis") -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False


def _wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
