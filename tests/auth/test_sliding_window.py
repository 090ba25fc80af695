"""The arithmetic of the limiter's script, against a model that keeps every admission."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis

from tests.auth.windows import WINDOW, Model, Reply, SlidingWindows
from tests.fixtures import Servers

START = 1_800_000_000


@pytest.fixture
def redis(servers: Servers) -> Iterator["Redis"]:
    client = Redis.from_url(servers.valkey.url, decode_responses=True)
    client.flushall()
    yield client
    client.close()


@pytest.fixture
def windows(redis: "Redis") -> SlidingWindows:
    return SlidingWindows(redis)


def test_a_limit_admits_exactly_so_many(windows: SlidingWindows) -> None:
    replies = [windows.check(START, ("token", 3)) for _ in range(5)]
    assert [reply.admitted for reply in replies] == [True, True, True, False, False]
    assert [reply.remaining for reply in replies] == [2, 1, 0, 0, 0]


def test_the_window_slides(windows: SlidingWindows) -> None:
    """What was admitted in a second counts until all of that second is more than 60 s back."""
    assert windows.check(START, ("token", 2)).admitted
    assert windows.check(START + 30, ("token", 2)).admitted
    refused = windows.check(START + 60, ("token", 2))
    assert refused == Reply(admitted=False, tightest=0, remaining=0, reset=1)
    assert windows.check(START + 61, ("token", 2)).admitted
    assert not windows.check(START + 90, ("token", 2)).admitted
    assert windows.check(START + 91, ("token", 2)).admitted


def test_the_reset_is_when_something_becomes_free(windows: SlidingWindows) -> None:
    windows.check(START, ("token", 1))
    refused = windows.check(START + 10, ("token", 1))
    assert not windows.check(START + 10 + refused.reset - 1, ("token", 1)).admitted
    assert windows.check(START + 10 + refused.reset, ("token", 1)).admitted


def test_a_refusal_uses_up_nothing(windows: SlidingWindows) -> None:
    limits = (("token", 10), ("agent", 10), ("organization", 1))
    assert windows.check(START, *limits).admitted
    for _ in range(20):
        assert windows.check(START, *limits) == Reply(False, tightest=2, remaining=0, reset=60)
    assert windows.check(START, ("token", 10)).remaining == 8
    assert windows.check(START, ("agent", 10)).remaining == 8


def test_the_tightest_limit_is_named(windows: SlidingWindows) -> None:
    assert windows.check(START, ("token", 9), ("agent", 5), ("organization", 7)).tightest == 1
    assert windows.check(START, ("token", 5), ("agent", 5), ("organization", 5)).tightest == 0


def test_requests_of_one_batch_count_one_after_the_other(windows: SlidingWindows) -> None:
    batch = [(("a", 2), ("organization", 3)), (("b", 2), ("organization", 3))] * 3
    replies = windows.check_all(START, batch)
    assert [reply.admitted for reply in replies] == [True, True, True, False, False, False]


def test_a_lowered_limit_holds_at_once(windows: SlidingWindows) -> None:
    for _ in range(5):
        windows.check(START, ("token", 10))
    assert windows.check(START, ("token", 2)) == Reply(False, tightest=0, remaining=0, reset=60)


def test_a_window_disappears_when_nothing_in_it_counts(windows: SlidingWindows, redis: "Redis") -> None:
    windows.check(START, ("token", 2))
    seconds: Any = redis.ttl("ibex:{o}:token")
    assert WINDOW < seconds <= WINDOW + 2


def test_a_window_holds_a_field_per_second_and_no_more(windows: SlidingWindows, redis: "Redis") -> None:
    for second in range(300):
        windows.check(START + second, ("token", 10_000))
    fields: Any = redis.hlen("ibex:{o}:token")
    assert fields <= WINDOW + 1 + len(("total", "oldest"))


def test_a_clock_that_was_set_back_neither_forgets_nor_counts_for_ever(windows: SlidingWindows) -> None:
    assert windows.check(START + 100, ("token", 2)).admitted
    assert windows.check(START + 95, ("token", 2)).admitted
    assert not windows.check(START + 96, ("token", 2)).admitted
    assert windows.check(START + 156, ("token", 2)).admitted
    assert not windows.check(START + 160, ("token", 2)).admitted
    assert windows.check(START + 161, ("token", 2)).admitted


REQUESTS = st.lists(
    st.tuples(
        st.one_of(st.integers(0, 3), st.integers(0, 70)),
        st.sampled_from([("a", "o"), ("b", "o"), ("c", "p")]),
        st.integers(1, 4),
        st.integers(1, 8),
    ),
    max_size=40,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(REQUESTS)
def test_the_script_agrees_with_the_model(
    windows: SlidingWindows,
    redis: "Redis",
    requests: list[tuple[int, tuple[str, str], int, int]],
) -> None:
    redis.flushall()
    model, now = Model(), START
    for pause, (token, organization), token_limit, organization_limit in requests:
        now += pause
        limits = ((token, token_limit), (organization, organization_limit))
        assert windows.check(now, *limits) == model.check(now, *limits)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(-5, 40), max_size=40))
def test_whatever_the_clock_does_no_window_holds_more_than_the_limit(
    windows: SlidingWindows, redis: "Redis", pauses: list[int]
) -> None:
    redis.flushall()
    admitted: list[int] = []
    now = START
    for pause in pauses:
        now += pause
        if windows.check(now, ("token", 3)).admitted:
            admitted.append(now)
    for end in admitted:
        later = [second for second in admitted[: admitted.index(end) + 1] if end - WINDOW <= second]
        assert len([second for second in later if second <= end]) <= 3
