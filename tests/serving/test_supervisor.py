"""The supervisor alone, over processes that misbehave."""

import ctypes
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ibex.serving.supervisor import Place, Role
from tests.embedded.running import is_gone, wait_for
from tests.serving.supervised import START_FAILED, note, serve_until_stopped, supervised

_PR_SET_CHILD_SUBREAPER = 36


def leave(place: Place) -> None:
    place.ready()
    sys.exit(7)


def interrupt(place: Place) -> None:
    place.ready()
    raise KeyboardInterrupt


def fail(place: Place) -> None:
    place.ready()
    raise RuntimeError("broken")


def finish(place: Place) -> None:
    place.ready()


@pytest.mark.parametrize("end", [leave, interrupt, fail, finish])
def test_however_a_process_ends_only_the_supervisor_unwinds(
    tmp_path: Path, end: Callable[[Place], None]
) -> None:
    def run(place: Place) -> None:
        note(tmp_path, "started", os.getpid())
        end(place)

    with supervised(tmp_path, Role("web", 1, run)) as supervisor:
        wait_for(lambda: len(supervisor.notes("started")) >= 3)
        supervisor.signal(signal.SIGTERM)
        assert supervisor.wait() == 0
        assert supervisor.notes("unwound") == [str(supervisor.pid)]
        assert all(is_gone(int(pid)) for pid in supervisor.notes("started"))


def test_a_signal_that_meets_a_process_at_its_birth_is_not_lost(tmp_path: Path) -> None:
    for attempt in range(20):
        folder = tmp_path / str(attempt)
        folder.mkdir()
        with supervised(folder, Role("web", 4, serve_until_stopped), grace=60.0) as supervisor:
            wait_for(lambda: len(supervisor.workers()) >= 1)
            supervisor.signal(signal.SIGTERM)
            # Far less than the grace: nobody had to be killed.
            assert supervisor.wait(5.0) == 0
            assert supervisor.workers() == []


def test_a_role_that_never_becomes_ready_ends_the_start_and_stops_the_others(tmp_path: Path) -> None:
    def run(place: Place) -> None:
        raise RuntimeError("cannot work")

    with supervised(
        tmp_path, Role("web", 1, run), Role("job", 1, serve_until_stopped, announces=False)
    ) as supervisor:
        assert supervisor.wait() == START_FAILED
        (error,) = supervisor.notes("error")
        assert error.startswith("The web process ends before it is ready (status 1).")
        assert supervisor.notes("ready") == []
        assert supervisor.workers() == []


def test_a_role_that_nobody_waits_for_may_fail_for_ever(tmp_path: Path) -> None:
    def run(place: Place) -> None:
        note(tmp_path, "attempts", place.index)

    with supervised(
        tmp_path, Role("web", 1, serve_until_stopped), Role("job", 1, run, announces=False)
    ) as supervisor:
        wait_for(lambda: len(supervisor.notes("attempts")) >= 4)
        assert supervisor.notes("ready") == [str(supervisor.pid)]
        supervisor.signal(signal.SIGTERM)
        assert supervisor.wait() == 0


def test_roles_stop_one_after_the_other_and_the_door_is_closed_first(tmp_path: Path) -> None:
    def of(name: str) -> Callable[[Place], None]:
        def run(place: Place) -> None:
            def end(number: int, frame: object) -> None:
                note(tmp_path, "ended", name)
                os._exit(0)

            signal.signal(signal.SIGTERM, end)
            place.ready()
            while True:
                signal.pause()

        return run

    with supervised(tmp_path, Role("web", 2, of("web")), Role("job", 1, of("job"))) as supervisor:
        wait_for(lambda: len(supervisor.workers()) == 3 and bool(supervisor.notes("ready")))
        supervisor.signal(signal.SIGTERM)
        assert supervisor.wait() == 0
        assert supervisor.notes("stop") == ["3"]
        assert supervisor.notes("ended") == ["web", "web", "job"]


def deaf(place: Place) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    place.ready()
    while True:
        signal.pause()


def test_a_second_interrupt_kills_what_does_not_stop(tmp_path: Path) -> None:
    with supervised(tmp_path, Role("web", 2, deaf), grace=60.0) as supervisor:
        wait_for(lambda: bool(supervisor.notes("ready")))
        supervisor.signal(signal.SIGINT)
        wait_for(lambda: bool(supervisor.notes("stop")))
        # Another request to stop is no reason to hurry.
        supervisor.signal(signal.SIGTERM)
        assert len(supervisor.workers()) == 2
        supervisor.signal(signal.SIGINT)
        assert supervisor.wait() == 0
        assert supervisor.workers() == []


def test_a_process_learns_of_the_supervisors_death_whatever_its_siblings_do(tmp_path: Path) -> None:
    def run(place: Place) -> None:
        place.ready()
        assert os.read(place.lifeline, 1) == b""
        note(tmp_path, "told", os.getpid())

    with supervised(tmp_path, Role("web", 3, run)) as supervisor:
        wait_for(lambda: len(supervisor.workers()) == 3 and bool(supervisor.notes("ready")))
        # The last ones were forked while the first ones had their ends of the pipe.
        workers = supervisor.workers()
        supervisor.signal(signal.SIGKILL)
        wait_for(lambda: all(is_gone(pid) for pid in workers), seconds=5)
        assert sorted(supervisor.notes("told")) == sorted(str(pid) for pid in workers)


def test_nothing_is_lost_when_nobody_reads_the_log_any_more(tmp_path: Path) -> None:
    def deafen() -> None:
        reader, writer = os.pipe()
        sys.stdout = sys.stderr = os.fdopen(writer, "w")
        sys.stdout.write("something that is still buffered")
        os.close(reader)

    with supervised(tmp_path, Role("web", 1, serve_until_stopped), before=deafen) as supervisor:
        wait_for(lambda: bool(supervisor.notes("ready")))
        (first,) = supervisor.workers()
        os.kill(first, signal.SIGKILL)
        wait_for(lambda: supervisor.workers() not in ([], [first]))
        supervisor.signal(signal.SIGTERM)
        assert supervisor.wait() == 0, supervisor.notes("error")


@pytest.mark.skipif(sys.platform != "linux", reason="needs prctl")
def test_orphans_that_are_left_to_it_are_buried(tmp_path: Path) -> None:
    def adopt() -> None:
        """As the first process of a container does."""
        assert ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0
        if os.fork() == 0:
            orphan = os.fork()
            if orphan == 0:
                signal.pause()
            note(tmp_path, "orphan", orphan)
            os._exit(0)

    with supervised(tmp_path, Role("web", 1, serve_until_stopped), before=adopt) as supervisor:
        wait_for(lambda: bool(supervisor.notes("ready")) and bool(supervisor.notes("orphan")))
        orphan = int(supervisor.notes("orphan")[0])
        wait_for(lambda: orphan in supervisor.workers())
        os.kill(orphan, signal.SIGKILL)
        wait_for(lambda: not Path(f"/proc/{orphan}").exists())
        supervisor.signal(signal.SIGTERM)
        assert supervisor.wait() == 0


def test_a_server_that_does_not_come_back_is_not_tried_without_a_pause(tmp_path: Path) -> None:
    def restart() -> list[str]:
        note(tmp_path, "restarts", "tried")
        return ["PostgreSQL has died and cannot be launched: the disk is full"]

    with supervised(tmp_path, Role("web", 1, serve_until_stopped), restart_servers=restart) as supervisor:
        wait_for(lambda: bool(supervisor.notes("ready")))
        for _ in range(200):
            # Each wakes the loop, which looks after the servers every time.
            supervisor.signal(signal.SIGCHLD)
        wait_for(lambda: len(supervisor.notes("restarts")) >= 2)
        assert len(supervisor.notes("restarts")) < 10
        supervisor.signal(signal.SIGTERM)
        assert supervisor.wait() == 0
