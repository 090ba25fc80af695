"""The stand-in while Redis is away: this process's share of each limit, never more."""

from collections import deque

from hypothesis import given
from hypothesis import strategies as st

from ibex.auth.limits import RateLimit
from ibex.auth.limits.local import LocalLimiter
from ibex.ids import uuid7
from tests.auth.validators import Clock


def test_the_limit_is_divided_by_the_processes() -> None:
    limiter, limit = LocalLimiter(Clock()), [RateLimit("token", uuid7(), 10)]
    verdicts = [limiter.check(limit, processes=3) for _ in range(5)]
    assert [verdict.admitted for verdict in verdicts] == [True, True, True, False, False]
    assert verdicts[0].limit.per_minute == 3
    assert all(verdict.is_local for verdict in verdicts)


def test_a_share_is_one_at_least() -> None:
    limiter, limit = LocalLimiter(Clock()), [RateLimit("token", uuid7(), 2)]
    assert limiter.check(limit, processes=5).admitted
    assert not limiter.check(limit, processes=5).admitted


def test_a_refusal_uses_up_nothing() -> None:
    limiter = LocalLimiter(Clock())
    token, organization = RateLimit("token", uuid7(), 10), RateLimit("organization", uuid7(), 1)
    for _ in range(5):
        limiter.check([token, organization], 1)
    assert limiter.check([token], 1).remaining == 8


def test_the_window_slides() -> None:
    clock = Clock()
    limiter, limit = LocalLimiter(clock), [RateLimit("token", uuid7(), 1)]
    assert limiter.check(limit, 1).admitted
    clock.now += 59.9
    refused = limiter.check(limit, 1)
    assert not refused.admitted
    clock.now += refused.reset
    assert limiter.check(limit, 1).admitted


def test_more_processes_make_the_share_smaller_and_never_negative() -> None:
    limiter, limit = LocalLimiter(Clock()), [RateLimit("token", uuid7(), 10)]
    for _ in range(8):
        limiter.check(limit, 1)
    refused = limiter.check(limit, 5)
    assert not refused.admitted
    assert refused.headers()["X-RateLimit-Remaining"] == "0"


@given(st.integers(1, 20), st.integers(1, 6), st.lists(st.floats(0, 30), max_size=80))
def test_no_minute_holds_more_than_the_share(per_minute: int, processes: int, pauses: list[float]) -> None:
    clock = Clock()
    limiter, limit = LocalLimiter(clock), [RateLimit("token", uuid7(), per_minute)]
    share = max(1, per_minute // processes)
    window: deque[float] = deque()
    for pause in pauses:
        clock.now += pause
        while window and window[0] <= clock.now - 60:
            window.popleft()
        verdict = limiter.check(limit, processes)
        assert verdict.admitted == (len(window) < share)
        if verdict.admitted:
            window.append(clock.now)
        assert verdict.remaining == share - len(window)
        assert 1 <= verdict.reset <= 61
