"""A provider that keeps failing is left alone for a while, and never for ever."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from ibex.proxy.providers.breaker import Admitted, CircuitBreaker


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
        breaker.failed(admitted(breaker))


def admitted(breaker: CircuitBreaker) -> Admitted:
    """What a call is admitted as, which it must be."""
    as_what = breaker.admit()
    assert as_what is not None
    return as_what


def test_it_opens_after_failures_in_a_row(breaker: CircuitBreaker) -> None:
    fail(breaker, 2)
    breaker.succeeded(admitted(breaker))
    fail(breaker, 3)
    assert breaker.is_open
    assert breaker.admit() is None
    assert breaker.wait() == 5.0


def test_after_a_rest_it_lets_one_call_through(breaker: CircuitBreaker, clock: Clock) -> None:
    fail(breaker, 3)
    clock.now += 4.9
    assert breaker.admit() is None
    clock.now += 0.1
    assert breaker.admit() == "probe"
    assert breaker.admit() is None


def test_a_probe_that_succeeds_closes_it(breaker: CircuitBreaker, clock: Clock) -> None:
    fail(breaker, 3)
    clock.now += 5
    breaker.succeeded(admitted(breaker))
    assert not breaker.is_open
    assert breaker.admit() == "call"
    assert breaker.admit() == "call"


def test_a_probe_that_fails_starts_another_rest(breaker: CircuitBreaker, clock: Clock) -> None:
    fail(breaker, 3)
    clock.now += 5
    fail(breaker, 1)
    assert breaker.admit() is None
    assert breaker.wait() == 5.0
    clock.now += 5
    assert breaker.admit() == "probe"


def test_a_probe_whose_client_left_makes_room_for_another(breaker: CircuitBreaker, clock: Clock) -> None:
    fail(breaker, 3)
    clock.now += 5
    breaker.abandoned(admitted(breaker))
    assert breaker.admit() == "probe"


@pytest.mark.parametrize("end", ["succeeded", "failed", "abandoned"])
def test_a_call_from_before_does_not_meddle_with_a_probe(
    breaker: CircuitBreaker, clock: Clock, end: str
) -> None:
    before = admitted(breaker)
    fail(breaker, 3)
    clock.now += 5
    probe = admitted(breaker)
    getattr(breaker, end)(before)
    assert breaker.is_open
    assert breaker.admit() is None
    assert breaker.wait() == 0.0
    breaker.succeeded(probe)
    assert breaker.admit() == "call"


def test_a_call_from_before_that_fails_late_prolongs_no_rest(breaker: CircuitBreaker, clock: Clock) -> None:
    before = admitted(breaker)
    fail(breaker, 3)
    clock.now += 4
    breaker.failed(before)
    assert breaker.wait() == 1.0


class NeverStuck(RuleBasedStateMachine):
    """Calls begin and end in any order while time passes; once all have ended, a rest is enough."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.breaker = CircuitBreaker(threshold=2, rest=5.0, clock=self.clock)
        self.under_way: list[Admitted] = []

    @rule()
    def begin(self) -> None:
        as_what = self.breaker.admit()
        if as_what is not None:
            self.under_way.append(as_what)

    @precondition(lambda self: self.under_way)
    @rule(end=st.sampled_from(["succeeded", "failed", "abandoned"]), which=st.integers(0, 100))
    def end(self, end: str, which: int) -> None:
        as_what = self.under_way.pop(which % len(self.under_way))
        was_open = self.breaker.is_open
        getattr(self.breaker, end)(as_what)
        if was_open:
            assert self.breaker.is_open is not (as_what == "probe" and end == "succeeded")

    @rule(seconds=st.floats(0, 10))
    def pass_time(self, seconds: float) -> None:
        self.clock.now += seconds

    @invariant()
    def a_rest_is_never_longer_than_it_should_be(self) -> None:
        assert 0.0 <= self.breaker.wait() <= 5.0 + 1e-9

    @invariant()
    def there_is_one_probe_at_most(self) -> None:
        assert self.under_way.count("probe") <= self.breaker.is_open

    def teardown(self) -> None:
        for as_what in self.under_way:
            self.breaker.failed(as_what)
        self.clock.now += 5.1
        assert self.breaker.admit()


TestNeverStuck = NeverStuck.TestCase
TestNeverStuck.settings = settings(max_examples=50, stateful_step_count=30, deadline=None)
