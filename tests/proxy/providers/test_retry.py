"""When a provider is asked again."""

from hypothesis import given
from hypothesis import strategies as st

from ibex.proxy.providers.retry import RetryPolicy
from ibex.settings import RetrySettings

SECONDS = st.floats(0.001, 1_000)


@given(st.integers(0, 20), st.integers(0, 10), SECONDS, SECONDS, st.floats(0, 1))
def test_a_wait_is_within_the_backoff_and_the_longest_wait(
    retry: int, attempts: int, backoff: float, longest: float, jitter: float
) -> None:
    delay = RetryPolicy(attempts, backoff, longest, lambda: jitter).delay(retry, None)
    if retry >= attempts:
        assert delay is None
    else:
        assert delay is not None
        assert 0 <= delay <= min(backoff * 2**retry, longest)


@given(st.integers(0, 5), st.floats(0, 1e6))
def test_what_the_provider_asks_for_is_done_exactly_or_not_at_all(retry: int, asked: float) -> None:
    delay = RetryPolicy(3, 0.25, 8.0).delay(retry, asked)
    assert delay == (asked if retry < 3 and asked <= 8.0 else None)


def test_waits_double_and_differ_between_clients() -> None:
    policy = RetryPolicy(5, 0.25, 2.0, lambda: 1.0)
    assert [policy.delay(retry, None) for retry in range(5)] == [0.25, 0.5, 1.0, 2.0, 2.0]
    waits = {RetryPolicy.of(RetrySettings()).delay(1, None) for _ in range(20)}
    assert len(waits) > 1
