"""The clock of a request knows what was under way, and whose time it was."""

from itertools import pairwise

import pytest

from ibex.telemetry import Step, StepClock


class Time:
    """A clock that goes on by a second whenever it is asked to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        monkeypatch.setattr("ibex.telemetry.steps.time.perf_counter", lambda: self.now)

    def passes(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    return Time(monkeypatch)


def test_a_step_lasts_until_the_next(time: Time) -> None:
    clock = StepClock()
    for step in Step:
        clock.enter(step)
        time.passes(1.0)
    clock.stop()
    assert [(step, end - begin) for step, begin, end in clock.laps] == [(step, 1.0) for step in Step]
    assert all(end == begin for (_, _, end), (_, begin, _) in pairwise(clock.laps))
    assert clock.elapsed() == len(Step)


def test_the_step_that_failed_is_timed_too(time: Time) -> None:
    clock = StepClock()
    clock.enter(Step.AUTH)
    time.passes(0.05)
    clock.stop()
    assert [step for step, _, _ in clock.laps] == [Step.AUTH]
    time.passes(1.0)
    clock.stop()
    assert len(clock.laps) == 1


def test_what_client_and_provider_take_is_not_overhead(time: Time) -> None:
    clock = StepClock()
    time.passes(0.25)
    for step, seconds in ((Step.BODY, 8.0), (Step.PARSE, 0.5), (Step.PROVIDER, 16.0), (Step.STREAM, 0.125)):
        clock.enter(step)
        time.passes(seconds)
    assert clock.overhead() == 0.875


@pytest.mark.parametrize("step", [Step.BODY, Step.PROVIDER])
def test_nor_is_a_wait_that_goes_on(time: Time, step: Step) -> None:
    clock = StepClock()
    time.passes(0.25)
    clock.enter(step)
    time.passes(10.0)
    assert clock.overhead() == 0.25


def test_a_step_of_ours_that_goes_on_is_overhead(time: Time) -> None:
    clock = StepClock()
    clock.enter(Step.AUTH)
    time.passes(0.5)
    assert clock.overhead() == 0.5
