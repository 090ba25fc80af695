"""Feedback as evidence."""

from hypothesis import given
from hypothesis import strategies as st

from ibex.memory.lifecycle.posterior import Posterior, Signal

signals = st.lists(
    st.tuples(st.sampled_from(["helpful", "unhelpful"]), st.floats(min_value=0.01, max_value=1.0)),
    max_size=200,
)


def after(given_signals: list[tuple[Signal, float]], start: Posterior | None = None) -> Posterior:
    posterior = start or Posterior()
    for signal, weight in given_signals:
        posterior = posterior.after(signal, weight)
    return posterior


def mean(posterior: Posterior) -> float:
    return posterior.helpful / (posterior.helpful + posterior.unhelpful)


@given(signals)
def test_the_mean_stays_between_none_and_all(many: list[tuple[Signal, float]]) -> None:
    posterior = after(many)
    assert 0 < mean(posterior) < 1
    assert posterior.helpful >= 1
    assert posterior.unhelpful >= 1


@given(signals, st.floats(min_value=0.01, max_value=1.0))
def test_praise_never_lowers_it_and_blame_never_raises_it(
    many: list[tuple[Signal, float]], weight: float
) -> None:
    before = after(many)
    assert mean(before.after("helpful", weight)) >= mean(before) - 1e-9
    assert mean(before.after("unhelpful", weight)) <= mean(before) + 1e-9


@given(st.integers(min_value=0, max_value=2_000))
def test_no_past_is_too_good_to_be_outweighed(praises: int) -> None:
    praised = after([("helpful", 1.0)] * praises)
    assert mean(after([("unhelpful", 1.0)] * 60, praised)) < 0.5


@given(signals)
def test_what_is_inferred_stays_within_narrower_bounds(many: list[tuple[Signal, float]]) -> None:
    posterior = Posterior()
    for signal, weight in many:
        posterior = posterior.inferred(signal, weight)
    assert 1 / 7 - 1e-9 <= mean(posterior) <= 6 / 7 + 1e-9


@given(signals, signals)
def test_what_was_said_is_not_taken_back_by_what_is_inferred(
    said: list[tuple[Signal, float]], inferred: list[tuple[Signal, float]]
) -> None:
    before = after(said)
    posterior = before
    for signal, weight in inferred:
        posterior = posterior.inferred(signal, weight)
    assert posterior.helpful + posterior.unhelpful >= before.helpful + before.unhelpful - 1e-6
    assert posterior.helpful <= max(before.helpful, 6) + 1e-9
    assert posterior.unhelpful <= max(before.unhelpful, 6) + 1e-9
