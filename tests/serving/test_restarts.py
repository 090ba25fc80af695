"""When what has died is started again."""

import pytest

from ibex.serving.restarts import Restarts


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def pause(restarts: Restarts, clock: Clock) -> float:
    """Seconds until it is due; time goes on by as much."""
    began = clock.now
    while not restarts.is_due():
        clock.now += 0.01
    return clock.now - began


def test_it_is_due_from_the_beginning() -> None:
    assert Restarts(Clock()).is_due()


def test_pauses_double_up_to_five_seconds_while_it_keeps_failing() -> None:
    clock = Clock()
    restarts = Restarts(clock)
    pauses = []
    for _ in range(8):
        restarts.started()
        restarts.failed()
        pauses.append(pause(restarts, clock))
    assert pauses == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0], abs=0.02)
    assert restarts.failures == 8


def test_a_steady_run_is_followed_by_a_restart_at_once() -> None:
    clock = Clock()
    restarts = Restarts(clock)
    restarts.failed()
    restarts.started()
    clock.now += 60.0
    restarts.failed()
    assert restarts.is_due()
    assert restarts.failures == 1


def test_one_that_is_killed_while_it_is_well_is_restarted_at_once_every_time() -> None:
    restarts = Restarts(Clock())
    for _ in range(5):
        restarts.started()
        restarts.killed()
        assert restarts.is_due()
