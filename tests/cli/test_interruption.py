"""A request to stop during the preparation is heeded, whatever it meets."""

import os
import signal
from collections.abc import Callable

import pytest

from ibex.cli.interruption import Interruption


def status_of(work: Callable[[], object]) -> int:
    """The exit status of a forked process that does some work; 70 when the work ends without leaving."""
    pid = os.fork()
    if pid == 0:
        status = 70
        try:
            work()
        except SystemExit as error:
            status = error.code if isinstance(error.code, int) else 1
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_what_is_under_way_is_left(number: signal.Signals) -> None:
    def work() -> None:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        Interruption()
        os.kill(os.getpid(), number)

    assert status_of(work) == 0


def test_a_request_that_meets_a_fork_is_heeded_at_the_next_check() -> None:
    def work() -> None:
        interruption = Interruption()
        os.register_at_fork(after_in_parent=lambda: os.kill(os.getpid(), signal.SIGTERM))
        # Python writes that it ignores the exception, which nobody needs to see here.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        if os.fork() == 0:
            os._exit(0)
        interruption.check()

    assert status_of(work) == 0


def test_the_way_out_is_not_interrupted_again() -> None:
    def work() -> None:
        interruption = Interruption()
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)
            interruption.disregard()
            os.kill(os.getpid(), signal.SIGINT)

    assert status_of(work) == 0


def test_a_hangup_that_nohup_has_turned_off_stays_off() -> None:
    def work() -> None:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        interruption = Interruption()
        os.kill(os.getpid(), signal.SIGHUP)
        interruption.check()

    assert status_of(work) == 70
