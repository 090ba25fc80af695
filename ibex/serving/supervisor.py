"""Starts the processes, restarts what dies, and stops all of it in order."""

import logging
import os
import select
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType

from ibex.embedded import EmbeddedError

logger = logging.getLogger(__name__)

_LONGEST_PAUSE = 5.0
_STEADY_AFTER = 5.0
_TICK = 0.5


@dataclass(frozen=True, slots=True)
class Role:
    """Processes of one kind. `run` is called in each of them.

    With `announces`, IBEX counts as ready when one of these is.
    """

    name: str
    count: int
    run: Callable[["Place"], None]
    announces: bool = True


@dataclass(frozen=True, slots=True)
class Place:
    """What a process is given: its number among those of its role, and its ties to the supervisor.

    `lifeline` is the read end of a pipe that only the supervisor writes to, so its end is the supervisor's
    end. `ready` is to be called once, when the process does its work.
    """

    index: int
    lifeline: int
    ready: Callable[[], None]


@dataclass(slots=True)
class _Child:
    role: Role
    index: int
    pid: int = 0
    started_at: float = 0.0
    pause: float = 0.0
    restart_at: float = 0.0


class Supervisor:
    """The parent of every process.

    It stays single-threaded and opens no event loop, so that forking from it is safe, and has imported
    everything by then, so that a new process serves within milliseconds.

    Parameters
    ----------
    roles: in the order in which they are started; they are stopped in the same order.
    restart_servers: brings back bundled servers that have died and returns their names.
    on_ready: called once, when the first process is ready.
    grace: seconds that processes have to finish what is in flight.
    """

    def __init__(
        self,
        roles: list[Role],
        *,
        restart_servers: Callable[[], list[str]],
        on_ready: Callable[[], None],
        grace: float,
    ) -> None:
        self._children = [_Child(role, index) for role in roles for index in range(role.count)]
        self._roles = roles
        self._restart_servers = restart_servers
        self._on_ready = on_ready
        self._grace = grace
        self._stopping = False
        # Only this process keeps the write end: when it dies, however it dies, the read end tells.
        self._lifeline, self._lifeline_write = os.pipe()
        self._wake, self._wake_write = os.pipe()
        self._ready, self._ready_write = os.pipe()
        self._is_ready = False

    def run(self) -> None:
        """Supervise until SIGTERM or SIGINT, then stop the processes and return."""
        os.set_blocking(self._wake, False)
        os.set_blocking(self._wake_write, False)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._ask_to_stop)
        signal.signal(signal.SIGCHLD, _note)
        for child in self._children:
            self._start(child)
        while not self._stopping:
            self._sleep(_TICK)
            self._reap()
            if not self._stopping:
                self._restart_dead_servers()
                self._restart_dead_children()
        self._stop()

    def _start(self, child: _Child) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        child.started_at = time.monotonic()
        child.pid = os.fork()
        if child.pid == 0:
            self._become(child)

    def _become(self, child: _Child) -> None:
        status = 1
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            os.close(self._lifeline_write)
            os.close(self._wake)
            os.close(self._wake_write)
            os.close(self._ready)
            child.role.run(
                Place(child.index, self._lifeline, self._tell_ready if child.role.announces else _nobody)
            )
            status = 0
        except Exception:
            logger.exception("the %s process failed", child.role.name)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)

    def _reap(self) -> None:
        now = time.monotonic()
        for child in self._children:
            if child.pid and os.waitpid(child.pid, os.WNOHANG)[0]:
                lived = now - child.started_at
                child.pause = 0.0 if lived > _STEADY_AFTER else min(child.pause * 2 or 0.1, _LONGEST_PAUSE)
                child.restart_at = now + child.pause
                if not self._stopping:
                    logger.error("a %s process (%d) has died and is replaced", child.role.name, child.pid)
                child.pid = 0

    def _restart_dead_children(self) -> None:
        now = time.monotonic()
        for child in self._children:
            if not child.pid and now >= child.restart_at:
                self._start(child)

    def _restart_dead_servers(self) -> None:
        try:
            for name in self._restart_servers():
                logger.error("%s had died and is back", name)
        except EmbeddedError:
            logger.exception("a bundled server does not come back; trying again")

    def _stop(self) -> None:
        """Role after role: ask, wait for the grace, then insist."""
        for role in self._roles:
            children = [child for child in self._children if child.role is role and child.pid]
            for child in children:
                _send(child.pid, signal.SIGTERM)
            deadline = time.monotonic() + self._grace + 1.0
            while any(child.pid for child in children) and time.monotonic() < deadline:
                self._sleep(0.1)
                self._reap()
            for child in children:
                if child.pid:
                    logger.error("a %s process (%d) did not stop in time and is killed", role.name, child.pid)
                    _send(child.pid, signal.SIGKILL)
                    os.waitpid(child.pid, 0)

    def _sleep(self, seconds: float) -> None:
        """Until a signal arrives or a process is ready, at most so long."""
        watched = [self._wake] if self._is_ready else [self._wake, self._ready]
        readable, _, _ = select.select(watched, [], [], seconds)
        if self._ready in readable:
            self._is_ready = True
            self._on_ready()
        if self._wake in readable:
            os.read(self._wake, 4_096)

    def _tell_ready(self) -> None:
        os.write(self._ready_write, b".")

    def _ask_to_stop(self, number: int, frame: FrameType | None) -> None:
        self._stopping = True


def _nobody() -> None:
    """Nobody waits for this process to be ready."""


def _note(number: int, frame: FrameType | None) -> None:
    """A handler of our own is what makes a signal wake the loop."""


def _send(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
