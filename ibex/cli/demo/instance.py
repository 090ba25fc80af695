"""The IBEX that the demonstration talks to: the one that runs, or one of its own."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from ibex.auth import CREDENTIALS
from ibex.cli.demo.service import Service, ServiceError

# A first start makes a database; on a busy machine that takes its time (seconds).
_PATIENCE = 120.0
_PAUSE = 0.1
_STOP = 40.0
# What would lead it to somebody's databases, providers and bills.
_FOREIGN = ("IBEX_", "OPENAI_", "ANTHROPIC_", "OTEL_")
# Nothing is fetched for a demonstration; words are enough for it.
_OWN = {"IBEX_EMBEDDER_KIND": "none", "IBEX_ACCESS_LOG": "false"}


class Instance(Protocol):
    """Where the conversation takes place, for as long as it is entered."""

    @property
    def described(self) -> str: ...

    def service(self) -> Service: ...

    def restart(self) -> bool:
        """Whether it was stopped and started again."""
        ...

    def tidy(self, service: Service, users: Iterable[str]) -> None:
        """Leave nothing of these users behind."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class RunningInstance:
    """One that was there before, and stays."""

    def __init__(self, service: Service) -> None:
        self._service = service

    @property
    def described(self) -> str:
        return f"This talks to the IBEX at {self._service.base_url}."

    def service(self) -> Service:
        return self._service

    def restart(self) -> bool:
        """Others use it."""
        return False

    def tidy(self, service: Service, users: Iterable[str]) -> None:
        for user in users:
            for memory in service.memories(user):
                service.erase(memory["id"])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return


class OwnInstance:
    """One that lives in a temporary folder, with the bundled servers, and goes with it."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="ibex-demo-"))
        self._port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def described(self) -> str:
        return "No IBEX runs here, so this starts one of its own. Memories are found by their words."

    def service(self) -> Service:
        kept = json.loads((self._folder / "data" / CREDENTIALS).read_text("utf-8"))
        return Service.of(kept)

    def restart(self) -> bool:
        self._stop()
        self._start()
        return True

    def tidy(self, service: Service, users: Iterable[str]) -> None:
        """All of it is removed at the end."""

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._leave()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()

    def _start(self) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603, this program itself
                [
                    sys.executable,
                    "-m",
                    "ibex",
                    "--data-dir",
                    str(self._folder / "data"),
                    "serve",
                    "--port",
                    str(self._port),
                ],
                cwd=self._folder,
                env=kept | _OWN,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Ctrl-C is for the demonstration, which stops it in order.
                start_new_session=True,
            )
        end = time.monotonic() + _PATIENCE
        while not self._is_ready():
            if self._process.poll() is not None or time.monotonic() > end:
                raise ServiceError(f"IBEX did not start. It said:\n{self._log()}")
            time.sleep(_PAUSE)

    def _is_ready(self) -> bool:
        return (self._folder / "data" / CREDENTIALS).exists() and self.service().is_ready()

    def _log(self) -> str:
        return (self._folder / "log").read_text("utf-8", "replace")

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_STOP)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _leave(self) -> None:
        self._stop()
        shutil.rmtree(self._folder, ignore_errors=True)


def running_instance(data_dir: Path) -> RunningInstance | None:
    """The one on this data directory, if it serves."""
    try:
        service = Service.of(json.loads((data_dir / CREDENTIALS).read_text("utf-8")))
    except (OSError, ValueError, KeyError):
        return None
    return RunningInstance(service) if service.is_ready() else None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
