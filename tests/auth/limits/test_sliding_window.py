"""The arithmetic of the limiter's script, against a model that keeps every admission."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis

from tests.auth.limits.windows import WINDOW, Model, Reply, SlidingWindows
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
    """The last minute is that before the latest second that the clock has shown."""
    redis.flushall()
    admitted: list[int] = []
    now = latest = START
    for pause in pauses:
        now += pause
        latest = max(latest, now)
        if windows.check(now, ("token", 3)).admitted:
            admitted.append(now)
        assert len([second for second in admitted if second >= latest - WINDOW]) <= 3


def test_tokens_are_counted_in_amounts(windows: SlidingWindows) -> None:
    assert windows.check(START, ("tokens", 1_000, 700)).remaining == 300
    refused = windows.check(START, ("tokens", 1_000, 301))
    assert refused == Reply(admitted=False, tightest=0, remaining=300, reset=60)
    assert windows.check(START, ("tokens", 1_000, 300)).admitted


def test_what_can_never_fit_is_told_apart(windows: SlidingWindows) -> None:
    assert windows.check(START, ("tokens", 1_000, 1_001)).reset == -1
    assert windows.check(START, ("requests", 0)).reset == -1
    assert windows.check(START, ("concurrent", 0, "lease")).reset == -1


def test_the_wait_is_until_there_is_room_for_all_of_it(windows: SlidingWindows) -> None:
    windows.check(START, ("tokens", 1_000, 300))
    windows.check(START + 20, ("tokens", 1_000, 700))
    assert windows.check(START + 30, ("tokens", 1_000, 300)).reset == 31
    assert windows.check(START + 30, ("tokens", 1_000, 301)).reset == 51
    assert not windows.check(START + 30 + 50, ("tokens", 1_000, 301)).admitted
    assert windows.check(START + 30 + 51, ("tokens", 1_000, 301)).admitted


def test_of_several_that_refuse_the_longest_is_told(windows: SlidingWindows) -> None:
    windows.check(START, ("a", 1))
    windows.check(START + 20, ("b", 1))
    assert windows.check(START + 30, ("a", 1), ("b", 1)) == Reply(False, 1, 0, 51)
    assert windows.check(START + 30, ("c", 1, 2), ("a", 1), ("b", 1)) == Reply(False, 0, 1, -1)


def test_usage_takes_the_place_of_its_estimate(windows: SlidingWindows) -> None:
    windows.check(START, ("tokens", 1_000, 900))
    windows.settle(START + 5, "tokens", START, -800)
    assert windows.check(START + 5, ("tokens", 1_000, 100)).remaining == 800
    windows.settle(START + 6, "tokens", START, 500)
    assert windows.check(START + 6, ("tokens", 1_000, 1)).remaining == 299
    assert windows.check(START + 61, ("tokens", 1_000, 1)).remaining == 1_000 - 100 - 1 - 1


def test_usage_within_the_second_of_its_estimate_counts_as_well(windows: SlidingWindows) -> None:
    windows.check(START, ("tokens", 1_000, 900))
    windows.settle(START, "tokens", START, -900)
    assert windows.check(START, ("tokens", 1_000, 1_000)).remaining == 0


def test_usage_above_the_limit_leaves_nothing_and_never_less(windows: SlidingWindows) -> None:
    windows.check(START, ("tokens", 1_000, 900))
    windows.settle(START, "tokens", START, 4_000)
    assert windows.check(START + 1, ("tokens", 1_000, 1)) == Reply(False, 0, 0, 60)
    assert windows.check(START + 61, ("tokens", 1_000, 1)).admitted


def test_what_is_given_back_of_a_window_that_is_gone_is_no_gift(
    windows: SlidingWindows, redis: "Redis"
) -> None:
    windows.check(START, ("tokens", 1_000, 900))
    redis.flushall()
    windows.settle(START, "tokens", START, -900)
    windows.check(START, ("tokens", 1_000, 100))
    windows.settle(START, "tokens", START, -900)
    assert windows.check(START, ("tokens", 1_000, 1)).remaining == 999


def test_a_window_whose_seconds_were_given_back_leaves_no_fields(
    windows: SlidingWindows, redis: "Redis"
) -> None:
    for second in range(200):
        windows.check(START + second, ("tokens", 1_000, 10))
        windows.settle(START + second, "tokens", START + second, -10)
    fields: Any = redis.hlen("ibex:{o}:tokens")
    assert fields <= len(("total", "oldest"))
    assert windows.check(START + 200, ("tokens", 1_000, 1_000)).admitted


USAGES = st.lists(
    st.tuples(st.integers(0, 20), st.integers(1, 60), st.integers(0, 90), st.integers(0, 70)), max_size=25
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(USAGES)
def test_a_window_of_tokens_holds_what_was_reserved_or_used_in_each_second(
    windows: SlidingWindows, redis: "Redis", calls: list[tuple[int, int, int, int]]
) -> None:
    """Each call reserves, and is settled some seconds later, among the calls that follow."""
    redis.flushall()
    counted: dict[int, int] = {}
    unsettled: list[tuple[int, int, int]] = []
    now = START
    for pause, estimate, used, duration in calls:
        now += pause
        for end, second, difference in sorted(unsettled):
            if end <= now:
                windows.settle(now, "tokens", second, difference)
                counted[second] += difference
        unsettled = [call for call in unsettled if call[0] > now]
        total = sum(amount for second, amount in counted.items() if second >= now - WINDOW)
        reply = windows.check(now, ("tokens", 100, estimate))
        assert reply.admitted == (total + estimate <= 100)
        assert reply.remaining == max(100 - total - (estimate if reply.admitted else 0), 0)
        if reply.admitted:
            counted[now] = counted.get(now, 0) + estimate
            unsettled.append((now + duration, now, used - estimate))


def test_so_many_leases_and_no_more(windows: SlidingWindows) -> None:
    replies = [windows.check(START, ("agent", 2, f"lease {n}")) for n in range(3)]
    assert replies == [Reply(True, 0, 1, 1), Reply(True, 0, 0, 1), Reply(False, 0, 0, 1)]
    windows.release(START, "agent", "lease 0")
    assert windows.check(START, ("agent", 2, "lease 3")).admitted


def test_leases_of_one_batch_count_one_after_the_other(windows: SlidingWindows) -> None:
    replies = windows.check_all(START, [(("agent", 2, f"lease {n}"),) for n in range(4)])
    assert [reply.admitted for reply in replies] == [True, True, False, False]


def test_a_lease_that_nobody_renews_expires(windows: SlidingWindows) -> None:
    windows.check(START, ("agent", 1, "forgotten"))
    assert not windows.check(START + 29, ("agent", 1, "another")).admitted
    assert windows.check(START + 30, ("agent", 1, "another")).admitted


def test_a_lease_that_is_renewed_lasts(windows: SlidingWindows, redis: "Redis") -> None:
    windows.check(START, ("agent", 1, "long"))
    for second in range(10, 200, 10):
        windows.hold(START + second, "agent", "long")
    assert not windows.check(START + 219, ("agent", 1, "another")).admitted
    assert windows.check(START + 220, ("agent", 1, "another")).admitted
    seconds: Any = redis.ttl("ibex:{o}:agent")
    assert 0 < seconds <= 31


def test_a_refusal_for_requests_takes_no_lease(windows: SlidingWindows) -> None:
    windows.check(START, ("requests", 1))
    for n in range(3):
        assert not windows.check(START, ("requests", 1), ("agent", 1, f"lease {n}")).admitted
    assert windows.check(START, ("agent", 1, "lease")).admitted


def test_a_refusal_for_leases_counts_no_request(windows: SlidingWindows) -> None:
    windows.check(START, ("agent", 1, "lease"))
    assert not windows.check(START, ("requests", 5), ("tokens", 100, 10), ("agent", 1, "another")).admitted
    assert windows.check(START, ("requests", 5)).remaining == 4
    assert windows.check(START, ("tokens", 100, 10)).remaining == 90
