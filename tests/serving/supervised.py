"""A supervisor in a process of its own, over processes that do what a test wants."""

import os
import signal
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ibex.serving.supervisor import Place, Role, StartError, Supervisor
from tests.embedded.running import is_gone, wait_for
from tests.end_to_end.processes import children

START_FAILED = 3


@dataclass(slots=True)
class Supervised:
    """The supervisor's process and what it has written down."""

    pid: int
    folder: Path
    status: int | None = None

    def notes(self, name: str) -> list[str]:
        path = self.folder / name
        return path.read_text("utf-8").splitlines() if path.exists() else []

    def workers(self) -> list[int]:
        return children(self.pid)

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def wait(self, seconds: float = 10.0) -> int:
        """The exit status; `START_FAILED` when the start failed."""
        if self.status is None:
            wait_for(lambda: is_gone(self.pid), seconds=seconds)
            self.status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self.status


def note(folder: Path, name: str, text: object) -> None:
    with (folder / name).open("a", encoding="utf-8") as file:
        file.write(f"{text}\n")


def serve_until_stopped(place: Place) -> None:
    """What a healthy process does."""
    signal.signal(signal.SIGTERM, lambda number, frame: os._exit(0))
    place.ready()
    while True:
        signal.pause()


@contextmanager
def supervised(
    folder: Path,
    *roles: Role,
    restart_servers: Callable[[], list[str]] = list,
    grace: float = 5.0,
    before: Callable[[], None] = lambda: None,
) -> Iterator[Supervised]:
    """Run a supervisor; whatever is left of it at the end is killed."""
    pid = os.fork()
    if pid == 0:
        _supervise(folder, list(roles), restart_servers, grace, before)
    running = Supervised(pid, folder)
    try:
        yield running
    finally:
        for leftover in (*running.workers(), *([pid] if running.status is None else [])):
            os.kill(leftover, signal.SIGKILL)
        running.wait()


def _supervise(
    folder: Path,
    roles: list[Role],
    restart_servers: Callable[[], list[str]],
    grace: float,
    before: Callable[[], None],
) -> None:
    status = 1
    try:
        before()
        try:
            Supervisor(
                roles,
                restart_servers=restart_servers,
                on_ready=lambda: note(folder, "ready", os.getpid()),
                on_stop=lambda: note(folder, "stop", len(children(os.getpid()))),
                grace=grace,
            ).run()
        finally:
            note(folder, "unwound", os.getpid())
        status = 0
    except StartError as error:
        note(folder, "error", error)
        status = START_FAILED
    except BaseException:  # noqa: BLE001 - the test reads it, whatever it is
        note(folder, "error", traceback.format_exc())
    finally:
        os._exit(status)
