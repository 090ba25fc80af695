"""Starts the processes, restarts what dies, and stops all of it in order."""

import gc
import logging
import os
import select
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType
from typing import NoReturn

from ibex.serving.restarts import Restarts

logger = logging.getLogger(__name__)

_TICK = 0.5
# After the grace a process still cuts off what is in flight and writes its record (seconds).
_LAST_WORDS = 5.0
# A role that is needed and dies so often before it has once been ready will not be ready by trying again.
_MOST_FAILED_STARTS = 3
_STOPPING_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_HANDLED_SIGNALS = (*_STOPPING_SIGNALS, signal.SIGCHLD)


class StartError(Exception):
    """The processes do not come up; the message is a sentence for the person who starts them."""


@dataclass(frozen=True, slots=True)
class Role:
    """Processes of one kind. `run` is called in each of them.

    With `announces`, IBEX counts as ready when one of these is, and cannot start when none ever is.
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
    """One place in a role, and the process that fills it; `pid` is 0 while there is none."""

    number: int
    role: Role
    index: int
    restarts: Restarts
    pid: int = 0
    is_ready: bool = False


class Supervisor:
    """The parent of every process.

    It stays single-threaded and opens no event loop, so that forking from it is safe, and has imported
    everything by then, so that a new process serves within milliseconds.

    Parameters
    ----------
    roles: in the order in which they are started; they are stopped in the same order.
    restart_servers: launches bundled servers that have died, without waiting, and says how that went.
    on_ready: called once, when the first process is ready.
    on_stop: called once, before the first process is asked to stop.
    grace: seconds that processes have to finish what is in flight.
    """

    def __init__(
        self,
        roles: list[Role],
        *,
        restart_servers: Callable[[], list[str]],
        on_ready: Callable[[], None],
        on_stop: Callable[[], None],
        grace: float,
    ) -> None:
        places = [(role, index) for role in roles for index in range(role.count)]
        self._children = [
            _Child(number, role, index, Restarts()) for number, (role, index) in enumerate(places)
        ]
        self._roles = roles
        self._restart_servers = restart_servers
        self._server_restarts = Restarts()
        self._on_ready = on_ready
        self._on_stop = on_stop
        self._grace = grace
        self._is_ready = False
        self._stopping = False
        self._hurried = False
        # Only this process keeps the write end: when it dies, however it dies, the read end tells.
        self._lifeline, self._lifeline_write = os.pipe()
        self._wake, self._wake_write = os.pipe()
        self._ready, self._ready_write = os.pipe()

    def run(self) -> None:
        """Supervise until SIGTERM, SIGINT or SIGHUP, then stop the processes and return.

        A second SIGINT does not wait for what is in flight. Raises `StartError`.
        """
        self._handle_signals()
        # What is loaded by now stays for good: no process need look through it for garbage again, and pages
        # that nobody writes to remain shared among all of them.
        gc.collect()
        gc.freeze()
        try:
            for child in self._children:
                self._start(child)
            while not self._stopping:
                self._sleep(_TICK)
                self._reap()
                if not self._stopping:
                    self._restart_dead_servers()
                    self._restart_dead_children()
        finally:
            self._stop()

    def _handle_signals(self) -> None:
        for descriptor in (self._wake, self._wake_write, self._ready):
            os.set_blocking(descriptor, False)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        for number in _STOPPING_SIGNALS:
            # Whoever ignores SIGHUP, as nohup does, wants IBEX to outlive the terminal.
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._ask_to_stop)
        signal.signal(signal.SIGCHLD, _note)

    def _start(self, child: _Child) -> None:
        _flush()
        child.is_ready = False
        child.restarts.started()
        # Until the new process has handlers of its own, a signal would be lost in those it inherits.
        signal.pthread_sigmask(signal.SIG_BLOCK, _HANDLED_SIGNALS)
        try:
            child.pid = os.fork()
            if child.pid == 0:
                self._become(child)
        except OSError:
            logger.exception("no %s process can be started; trying again", child.role.name)
            child.restarts.failed()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _HANDLED_SIGNALS)

    def _become(self, child: _Child) -> NoReturn:
        """Be the child. Whatever happens, nothing of the supervisor's own stack is unwound in it."""
        status = 1
        try:
            signal.set_wakeup_fd(-1)
            for number in _HANDLED_SIGNALS:
                signal.signal(number, signal.SIG_DFL)
            # A terminal tells the whole group; the supervisor alone decides what is done about it.
            for number in (signal.SIGINT, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _HANDLED_SIGNALS)
            for descriptor in (self._lifeline_write, self._wake, self._wake_write, self._ready):
                os.close(descriptor)
            child.role.run(Place(child.index, self._lifeline, lambda: self._tell_ready(child)))
            status = 0
        except Exception:
            logger.exception("the %s process failed", child.role.name)
        finally:
            try:
                _flush()
            finally:
                os._exit(status)

    def _reap(self) -> None:
        """Note who has died. As the first process of a container this buries the orphans of others."""
        while (ended := _next_ended()) is not None:
            pid, status = ended
            child = next((child for child in self._children if child.pid == pid), None)
            if child is not None:
                child.pid = 0
                if not self._stopping:
                    self._note_death(child, pid, status)

    def _note_death(self, child: _Child, pid: int, status: int) -> None:
        """`status` as `os.waitstatus_to_exitcode` has it: negative for a signal."""
        if child.is_ready and status < 0:
            child.restarts.killed()
        else:
            child.restarts.failed()
        how = f"signal {-status}" if status < 0 else f"status {status}"
        logger.error("a %s process (%d) has ended with %s and is replaced", child.role.name, pid, how)
        if child.role.announces and not self._is_ready and child.restarts.failures >= _MOST_FAILED_STARTS:
            raise StartError(
                f"The {child.role.name} process ends before it is ready ({how}). "
                "The log on standard output says why."
            )

    def _restart_dead_children(self) -> None:
        for child in self._children:
            if not child.pid and child.restarts.is_due():
                self._start(child)

    def _restart_dead_servers(self) -> None:
        if not self._server_restarts.is_due():
            return
        told = self._restart_servers()
        for sentence in told:
            logger.error("%s", sentence)
        if told:
            self._server_restarts.failed()
            self._server_restarts.started()

    def _stop(self) -> None:
        """Role after role: ask, wait for the grace, then insist."""
        self._stopping = True
        self._on_stop()
        for role in self._roles:
            children = [child for child in self._children if child.role is role and child.pid]
            for child in children:
                os.kill(child.pid, signal.SIGTERM)
            deadline = time.monotonic() + self._grace + _LAST_WORDS
            while any(child.pid for child in children) and not self._hurried and time.monotonic() < deadline:
                self._sleep(0.1)
                self._reap()
            for child in children:
                if child.pid:
                    level = logging.WARNING if self._hurried else logging.ERROR
                    logger.log(level, "a %s process (%d) is killed: it has not stopped", role.name, child.pid)
                    os.kill(child.pid, signal.SIGKILL)
                    os.waitpid(child.pid, 0)

    def _sleep(self, seconds: float) -> None:
        """Until a signal arrives or a process is ready, at most so long."""
        readable, _, _ = select.select([self._wake, self._ready], [], [], seconds)
        if self._wake in readable:
            os.read(self._wake, 4_096)
        if self._ready in readable:
            numbers = os.read(self._ready, 4_096)
            for at in range(0, len(numbers), 2):
                self._note_ready(self._children[int.from_bytes(numbers[at : at + 2], "big")])

    def _note_ready(self, child: _Child) -> None:
        child.is_ready = True
        if child.role.announces and not self._is_ready and not self._stopping:
            self._is_ready = True
            self._on_ready()

    def _tell_ready(self, child: _Child) -> None:
        """Called in the child. Two bytes are written at once or not at all (pipe(7))."""
        os.write(self._ready_write, child.number.to_bytes(2, "big"))

    def _ask_to_stop(self, number: int, frame: FrameType | None) -> None:
        if self._stopping and number == signal.SIGINT:
            self._hurried = True
        self._stopping = True


def _note(number: int, frame: FrameType | None) -> None:
    """A handler of our own is what makes a signal wake the loop."""


def _next_ended() -> tuple[int, int] | None:
    """The pid and exit code of a child that has ended and was not asked about yet."""
    try:
        pid, status = os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return None
    return (pid, os.waitstatus_to_exitcode(status)) if pid else None


def _flush() -> None:
    """So that a fork does not write twice what is buffered; a terminal that is gone is no reason to fail."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            continue
