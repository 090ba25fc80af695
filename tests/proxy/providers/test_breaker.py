"""A provider that keeps failing is left alone for a while, and never for ever."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from ibex.proxy.providers.breaker import CircuitBreaker


class Clock:
    """A clock that stands still until it is told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> CircuitBreaker:
    return CircuitBreaker(threshold=3, rest=5.0, clock=clock)


def fail(breaker: CircuitBreaker, times: int) -> None:
    for _ in range(times):
        assert breaker.admit()
        breaker.failed()


def test_it_opens_after_failures_in_a_row(breaker: CircuitBreaker) -> None:
    fail(breaker, 2)
    breaker.admit()
    breaker.succeeded()
    fail(breaker, 3)
    assert breaker.is_open
    assert not breaker.admit()
    assert breaker.wait() == 5.0


def test_after_a_rest_it_lets_one_call_through(breaker: CircuitBreaker, clock: Clock) -> None:
    fail(breaker, 3)
    clock.now += 4.9
    assert not breaker.admit()
    clock.now += 0.1
    assert breaker.admit()
    assert not breaker.admit()


def test_a_probe_that_succeeds_closes_it(breaker: CircuitBreaker, clock: Clock) -> None:
    fail(breaker, 3)
    clock.now += 5
    assert breaker.admit()
    breaker.succeeded()
    assert not breaker.is_open
    assert breaker.admit()
    assert breaker.admit()


def test_a_probe_that_fails_starts_another_rest(breaker: CircuitBreaker, clock: Clock) -> None:
    fail(breaker, 3)
    clock.now += 5
    fail(breaker, 1)
    assert not breaker.admit()
    assert breaker.wait() == 5.0
    clock.now += 5
    assert breaker.admit()


def test_a_probe_whose_client_left_makes_room_for_another(breaker: CircuitBreaker, clock: Clock) -> None:
    fail(breaker, 3)
    clock.now += 5
    assert breaker.admit()
    breaker.abandoned()
    assert breaker.admit()


class NeverStuck(RuleBasedStateMachine):
    """Calls begin and end in any order while time passes; once all have ended, a rest is enough."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.breaker = CircuitBreaker(threshold=2, rest=5.0, clock=self.clock)
        self.under_way = 0

    @rule()
    def begin(self) -> None:
        self.under_way += self.breaker.admit()

    @precondition(lambda self: self.under_way)
    @rule(end=st.sampled_from(["succeeded", "failed", "abandoned"]))
    def end(self, end: str) -> None:
        self.under_way -= 1
        getattr(self.breaker, end)()

    @rule(seconds=st.floats(0, 10))
    def pass_time(self, seconds: float) -> None:
        self.clock.now += seconds

    @invariant()
    def a_rest_is_never_longer_than_it_should_be(self) -> None:
        assert 0.0 <= self.breaker.wait() <= 5.0 + 1e-9

    def teardown(self) -> None:
        for _ in range(self.under_way):
            self.breaker.failed()
        self.clock.now += 5.1
        assert self.breaker.admit()


TestNeverStuck = NeverStuck.TestCase
TestNeverStuck.settings = settings(max_examples=50, stateful_step_count=30, deadline=None)
