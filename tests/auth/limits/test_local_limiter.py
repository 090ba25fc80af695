"""The stand-in while Redis is away: this process's share of each limit, never more."""

from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibex.auth.limits import Limit, LimitSet, Verdict, local
from ibex.auth.limits.demand import Demand
from ibex.auth.limits.limit import Dimension
from ibex.auth.limits.local import Admission, LocalLimiter
from ibex.ids import uuid7
from tests.auth.validators import Clock


class Local:
    """A local limiter; `held` is what goes on in this process."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.held = 0
        self.limiter = LocalLimiter(lambda name: self.held, self.clock)

    def check(self, *under: Limit, processes: int = 1, tokens: int = 0) -> Verdict:
        return self.admit(*under, processes=processes, tokens=tokens)[0]

    def admit(self, *under: Limit, processes: int = 1, tokens: int = 0) -> tuple[Verdict, list[Admission]]:
        return self.limiter.check(Demand(LimitSet.of(under), tokens, ""), processes)


def limit(most: int, dimension: Dimension = "requests") -> Limit:
    return Limit("token", dimension, str(uuid7()), most)


def test_the_limit_is_divided_by_the_processes() -> None:
    one, ten = Local(), limit(10)
    verdicts = [one.check(ten, processes=3) for _ in range(5)]
    assert [verdict.admitted for verdict in verdicts] == [True, True, True, False, False]
    assert verdicts[0].limit.most == 3
    assert all(verdict.is_local for verdict in verdicts)


def test_a_share_is_one_at_least() -> None:
    one, two = Local(), limit(2)
    assert one.check(two, processes=5).admitted
    assert not one.check(two, processes=5).admitted


def test_who_is_allowed_nothing_has_no_share() -> None:
    one = Local()
    for none in (limit(0), limit(0, "concurrent"), limit(0, "tokens")):
        verdict = one.check(none, tokens=1)
        assert (verdict.admitted, verdict.reset, verdict.remaining) == (False, None, 0)


def test_a_refusal_uses_up_nothing() -> None:
    one, token, organization = Local(), limit(10), limit(1)
    for _ in range(5):
        one.check(token, organization)
    assert one.check(token).remaining == 8


def test_the_window_slides() -> None:
    one, single = Local(), limit(1)
    assert one.check(single).admitted
    one.clock.now += 59.9
    refused = one.check(single)
    assert not refused.admitted
    assert refused.reset is not None
    one.clock.now += refused.reset
    assert one.check(single).admitted


def test_more_processes_make_the_share_smaller_and_never_negative() -> None:
    one, ten = Local(), limit(10)
    for _ in range(8):
        one.check(ten)
    refused = one.check(ten, processes=5)
    assert not refused.admitted
    assert refused.headers()["X-RateLimit-Remaining"] == "0"


def test_tokens_are_counted_as_estimated_and_then_as_used() -> None:
    one, thousand = Local(), limit(1_000, "tokens")
    _, [first] = one.admit(thousand, tokens=900)
    assert not one.check(thousand, tokens=200).admitted
    first.settle(100)
    verdict = one.check(thousand, tokens=200)
    assert (verdict.admitted, verdict.remaining) == (True, 700)


def test_what_is_settled_late_changes_nothing() -> None:
    one, thousand = Local(), limit(1_000, "tokens")
    _, [first] = one.admit(thousand, tokens=900)
    one.clock.now += 61
    assert one.check(thousand, tokens=10).remaining == 990
    first.settle(2_000)
    assert one.check(thousand, tokens=10).remaining == 980


def test_a_request_that_is_larger_than_the_share_is_admitted_alone() -> None:
    """Else an outage would refuse every large request for as long as it lasts."""
    one, thousand = Local(), limit(1_000, "tokens")
    assert one.check(thousand, tokens=800, processes=4).admitted
    assert not one.check(thousand, tokens=800, processes=4).admitted
    assert not one.check(thousand, tokens=1, processes=4).admitted
    one.clock.now += 60
    assert one.check(thousand, tokens=800, processes=4).admitted


def test_a_request_that_is_larger_than_the_limit_is_never_admitted() -> None:
    one = Local()
    assert one.check(limit(1_000, "tokens"), tokens=1_001).reset is None


def test_the_wait_is_until_there_is_room_for_all_of_it() -> None:
    one, thousand = Local(), limit(1_000, "tokens")
    one.check(thousand, tokens=300)
    one.clock.now += 20
    one.check(thousand, tokens=700)
    assert one.check(thousand, tokens=300).reset == 41
    assert one.check(thousand, tokens=301).reset == 60


def test_requests_that_go_on_in_this_process_are_counted() -> None:
    one, four = Local(), limit(4, "concurrent")
    one.held = 1
    assert one.check(four, processes=2).admitted
    one.held = 2
    refused = one.check(four, processes=2)
    assert (refused.admitted, refused.reset) == (False, 1)


def test_a_flood_of_others_does_not_push_out_who_is_asked_about(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "_CAPACITY", 10)
    one, organization = Local(), limit(1_000)
    for _ in range(100):
        one.check(limit(5), organization)
    assert one.check(organization).remaining == 899


@given(st.integers(1, 20), st.integers(1, 6), st.lists(st.floats(0, 30), max_size=80))
def test_no_minute_holds_more_than_the_share(per_minute: int, processes: int, pauses: list[float]) -> None:
    one, under = Local(), limit(per_minute)
    share = max(1, per_minute // processes)
    window: deque[float] = deque()
    for pause in pauses:
        one.clock.now += pause
        while window and window[0] <= one.clock.now - 60:
            window.popleft()
        verdict = one.check(under, processes=processes)
        assert verdict.admitted == (len(window) < share)
        if verdict.admitted:
            window.append(one.clock.now)
        assert verdict.remaining == share - len(window)
        assert verdict.reset is not None
        assert 1 <= verdict.reset <= 61
