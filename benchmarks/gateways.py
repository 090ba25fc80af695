"""A gateway that can be started, measured and stopped. To add one, write its ``Gateway``."""

import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import processes
from benchmarks.machine import pinned

START_PATIENCE = 180.0  # Seconds; a cold first start may create a database.
STOP_PATIENCE = 40.0  # Seconds; longer than the 30 s IBEX gives requests in flight.
POLL = 0.02  # Seconds between looks at whether it answers.
CONFIGURATION = ("IBEX_", "LITELLM_", "OPENAI_", "ANTHROPIC_")


class GatewayError(RuntimeError):
    """A gateway did not start."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where one gateway runs: its port, the stub's address, and a directory that outlives restarts."""

    port: int
    upstream: str
    directory: Path


@dataclass(frozen=True, slots=True)
class Gateway:
    """How to start a gateway, how to call it, and which of its processes are servers it brings along."""

    name: str
    version: str
    command: Callable[[Place], Sequence[str]]
    environment: Callable[[Place], Mapping[str, str]]
    headers: Callable[[Place], Mapping[str, str]]
    health: str = "/health"
    path: str = "/v1/chat/completions"
    companions: frozenset[str] = field(default_factory=frozenset)


@dataclass(frozen=True, slots=True)
class Running:
    """A gateway that answers."""

    gateway: Gateway
    pid: int
    url: str
    headers: Mapping[str, str]
    core: int
    start_seconds: float

    def cpu(self) -> tuple[float, float]:
        """Seconds of CPU so far: the gateway's own processes, and its companions."""
        own = companions = 0.0
        for process in processes.tree(self.pid):
            if self._is_companion(process):
                companions += process.cpu
            else:
                own += process.cpu
        return own, companions

    def memory(self) -> tuple[int, int]:
        """Bytes: resident in its largest own process, and shared out over the whole tree."""
        tree = processes.tree(self.pid)
        own = [process.resident for process in tree if not self._is_companion(process)]
        return max(own, default=0), sum(process.shared_out for process in tree)

    def _is_companion(self, process: processes.Process) -> bool:
        return process.name in self.gateway.companions


@contextmanager
def running(gateway: Gateway, place: Place, core: int) -> Iterator[Running]:
    """Start a gateway on one core and stop it in the end; raises GatewayError when it does not answer."""
    place.directory.mkdir(exist_ok=True)
    log = place.directory.parent / f"{gateway.name}.log"
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(CONFIGURATION)}
    with log.open("ab") as output, pinned(core):
        began = time.perf_counter()
        process = subprocess.Popen(
            gateway.command(place),
            env=inherited | dict(gateway.environment(place)),
            cwd=place.directory,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        base = f"http://127.0.0.1:{place.port}"
        _wait_until_it_answers(f"{base}{gateway.health}", process, log)
        started = time.perf_counter() - began
        headers = gateway.headers(place)
        yield Running(gateway, process.pid, f"{base}{gateway.path}", headers, core, started)
    finally:
        _stop(process)


def free_port() -> int:
    """A loopback port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_until_it_answers(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.perf_counter() + START_PATIENCE
    while time.perf_counter() < deadline and process.poll() is None:
        with suppress(urllib.error.URLError, OSError), urllib.request.urlopen(url, timeout=5):
            return
        time.sleep(POLL)
    tail = "\n".join(log.read_text(errors="replace").splitlines()[-30:])
    raise GatewayError(f"{url} does not answer (exit status {process.returncode}):\n{tail}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    family = [member.pid for member in processes.tree(process.pid)]
    process.terminate()
    try:
        process.wait(STOP_PATIENCE)
    except subprocess.TimeoutExpired:
        for pid in family:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait()
