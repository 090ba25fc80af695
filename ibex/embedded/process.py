"""A child process that gives up root and does not outlive its parent."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence

from ibex.embedded.account import Account
from ibex.embedded.errors import EmbeddedError
from ibex.embedded.log import ServerLog

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_POLL_SECONDS = 0.01
# PostgreSQL itself kills after 5 s what does not obey an immediate shutdown.
_IMMEDIATE_SECONDS = 8.0


def spawn(
    command: Sequence[str],
    *,
    account: Account,
    death_signal: signal.Signals,
    inherited: Iterable[int] = (),
    input_from: int = subprocess.DEVNULL,
    output_to: int,
) -> subprocess.Popen[bytes]:
    """Run `command` as `account` in a session of its own; on Linux it gets `death_signal` when the calling
    thread ends.

    Raises `EmbeddedError` when it cannot be run.
    """
    identity = None if account.is_launcher else account
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
    try:
        return subprocess.Popen(  # noqa: S603 - the command is our own
            command,
            stdin=input_from,
            stdout=output_to,
            stderr=subprocess.STDOUT,
            cwd="/",
            env=kept | {"LC_ALL": "C", "TZ": "UTC"},
            umask=0o077,
            start_new_session=True,
            pass_fds=tuple(inherited),
            user=identity.uid if identity else None,
            group=identity.gid if identity else None,
            extra_groups=[identity.gid] if identity else None,
            # Popen changes the user before it calls this, and must: changing it resets the death signal.
            preexec_fn=_in_child(death_signal),
        )
    except (OSError, subprocess.SubprocessError) as error:
        advice = (
            "Check that it is for this system and may be executed."
            if identity is None
            else "As root, ibex has to be allowed to change its user (CAP_SETUID, CAP_SETGID); "
            "otherwise run it as an ordinary user."
        )
        raise EmbeddedError(f"Cannot run {command[0]} as {account.name}: {error}. {advice}") from error


def _in_child(death_signal: signal.Signals) -> Callable[[], None]:
    if sys.platform != "linux":
        return _unblock_signals
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    parent = os.getpid()

    def bind_to_parent() -> None:
        _unblock_signals()
        if prctl(_PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
        # A parent that ended before the call above sends no signal any more.
        if os.getppid() != parent:
            os._exit(1)

    return bind_to_parent


def _unblock_signals() -> None:
    # The mask is inherited through exec: a launcher that blocks SIGTERM would make a server deaf to it.
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


class ServerProcess:
    """A launched server, from spawn to reaped.

    `shutdown` is the signal that asks it to end in order, `abort` the one that makes it end at once.
    Waits for this child by its pid only.
    """

    def __init__(
        self,
        name: str,
        popen: subprocess.Popen[bytes],
        log: ServerLog,
        *,
        shutdown: signal.Signals,
        abort: signal.Signals,
    ) -> None:
        self._name = name
        self._popen = popen
        self._log = log
        self._shutdown = shutdown
        self._abort = abort
        self._launcher = os.getpid()

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def launched_here(self) -> bool:
        """False in a worker forked from the launcher, which may unwind through the same `finally` clauses."""
        return os.getpid() == self._launcher

    def poll(self) -> int | None:
        """Return the exit status (negative: the signal that ended it), or None while it runs."""
        return self._popen.poll()

    def wait_until(self, is_ready: Callable[[], bool], *, deadline: float) -> None:
        """Wait for `is_ready` until `deadline`, a time of `time.monotonic`.

        Raises `EmbeddedError` with the end of the log when the server ends first or is too slow.
        """
        while not is_ready():
            status = self.poll()
            if status is not None:
                raise EmbeddedError(
                    f"{self._name} ended while starting (exit status {status}). Put right what its log names "
                    f"and start again. {self._log.tail()}"
                )
            if time.monotonic() > deadline:
                raise EmbeddedError(
                    f"{self._name} did not become ready in time. It may still be recovering from a crash: "
                    f"look at its log and start again. {self._log.tail()}"
                )
            time.sleep(_POLL_SECONDS)

    def stop(self, timeout: float) -> None:
        """End the server: in order within `timeout` seconds, else at once. Does nothing when it has ended."""
        for number, patience in ((self._shutdown, timeout), (self._abort, _IMMEDIATE_SECONDS)):
            if self.poll() is not None:
                return
            self._popen.send_signal(number)
            try:
                self._popen.wait(patience)
            except subprocess.TimeoutExpired:
                continue
        if self.poll() is None:
            self._popen.kill()
            self._popen.wait()
