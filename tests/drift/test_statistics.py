"""What moved is found, and what did not is left alone."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.drift_simulation import (
    CONVERSATIONS,
    INDEPENDENT,
    TIES,
    Agent,
    Change,
    blocks,
    delay,
    false_alarms,
)
from ibex.drift.baseline import Baseline
from ibex.drift.detection import NEW, examine
from ibex.drift.divergence import jensen_shannon
from ibex.drift.observation import LABELS, NUMBERS, Observation, observed
from ibex.drift.scores import POINTS, inflation, quantiles, scores
from ibex.ids import uuid7
from tests.drift.calls import Caller

_LEARNED = 1_000

shares = st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 1_000).map(float), max_size=6)


@pytest.mark.parametrize(
    ("change", "within", "feature"),
    [
        (Change(shift=(0.5, 0, 0, 0)), 300, "latency"),
        (Change(shift=(0, 0, 0, -0.5)), 300, "input_tokens"),
        (Change(shift=(0, 0, 0, 1.0)), 100, "input_tokens"),
        (Change(new_tool=0.2), 100, "tools"),
        (Change(served="another"), 100, "model_served"),
    ],
)
def test_a_change_is_found_in_time(change: Change, within: int, feature: str) -> None:
    found = delay(INDEPENDENT, change, 7, learned=_LEARNED, quiet=300, until=within)

    assert found is not None
    assert found.calls <= within
    assert feature in found.features


def test_calls_without_a_change_raise_nothing() -> None:
    assert false_alarms(CONVERSATIONS, 3, learned=_LEARNED, calls=5_000) == []


def test_a_number_that_nearly_always_is_the_same_raises_nothing_until_it_moves() -> None:
    found = delay(TIES, Change(shift=(0, 0, 0, 1.0)), 7, learned=_LEARNED, quiet=300, until=20)

    assert [false_alarms(TIES, seed, learned=_LEARNED, calls=5_000) for seed in (1, 2)] == [[], []]
    assert found is not None
    assert found.features == ("input_tokens",)


def test_tools_are_watched_where_nearly_every_call_has_several_that_no_other_has() -> None:
    agent = Agent(INDEPENDENT, np.random.default_rng(6))
    known = [_with_tools(each, f"{index}-a", f"{index}-b") for index, each in enumerate(agent.calls(200))]
    baseline = Baseline.of(known)
    window = list(blocks(baseline, [_with_tools(each, "delete_everything") for each in agent.calls(100)]))
    window += list(blocks(baseline, [_with_tools(each) for each in agent.calls(100)]))

    found = {each.feature: each for each in examine(baseline, window)}

    assert all(math.isfinite(each.deviation) for each in found.values())
    assert found["tools"].excess >= 1.0


def test_the_name_of_a_tool_that_nobody_knew_is_said() -> None:
    agent = Agent(INDEPENDENT, np.random.default_rng(11))
    baseline = Baseline.of(agent.calls(_LEARNED))
    agent.change = Change(new_tool=0.3)

    findings = examine(baseline, list(blocks(baseline, agent.calls(200))))

    assert next(each for each in findings if each.feature == "tools").label == NEW


def test_one_outage_is_no_change_and_lasting_failures_are() -> None:
    agent = Agent(INDEPENDENT, np.random.default_rng(5))
    baseline = Baseline.of(agent.calls(_LEARNED))
    quiet = agent.calls(290)
    agent.change = Change(errors=1.0)
    outage = agent.calls(10)
    agent.change = Change(errors=0.5)

    def errors(calls: Sequence[Observation]) -> float:
        found = examine(baseline, list(blocks(baseline, calls)))
        return next(each for each in found if each.feature == "errors").excess

    assert errors(quiet + outage) < 1.0
    assert errors(quiet + agent.calls(100)) >= 1.0


def test_a_tolerance_raises_the_threshold_of_its_feature_alone() -> None:
    agent = Agent(INDEPENDENT, np.random.default_rng(2))
    baseline = Baseline.of(agent.calls(_LEARNED))
    window = list(blocks(baseline, agent.calls(300)))

    plain = {each.feature: each.excess for each in examine(baseline, window)}
    tolerated = {each.feature: each.excess for each in examine(baseline, window, {"latency": 2.0})}

    assert tolerated.pop("latency") == pytest.approx(plain.pop("latency") / 2)
    assert tolerated == plain


@given(shares, shares)
def test_the_distance_of_names_is_symmetric_and_between_0_and_1(
    one: dict[str, float], other: dict[str, float]
) -> None:
    assert jensen_shannon(one, other) == pytest.approx(jensen_shannon(other, one))
    assert 0.0 <= jensen_shannon(one, other) <= 1.0


@given(shares)
def test_names_are_at_no_distance_from_themselves_however_many_calls(one: dict[str, float]) -> None:
    twice = {name: 2 * count for name, count in one.items()}

    assert jensen_shannon(one, twice) == pytest.approx(0.0, abs=1e-6)


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=300), st.floats(-1e9, 1e9), st.floats(0, 1e9))
def test_scores_keep_the_order_of_values_and_are_bounded(
    known: list[float], value: float, more: float
) -> None:
    points = quantiles(np.array(known))

    lower, higher = scores(np.array([value, value + more]), points)

    assert lower <= higher
    assert max(abs(lower), abs(higher)) <= 3.0
    assert len(points) == POINTS


def test_calls_that_repeat_each_other_count_for_less() -> None:
    random = np.random.default_rng(1)
    alone = random.standard_normal(1_000)
    sessions = [str(number // 10) for number in range(1_000)]

    assert inflation(alone, sessions) < 1.5
    assert inflation(np.repeat(alone[:100], 10), sessions) == pytest.approx(10, rel=0.3)


def test_calls_of_few_conversations_that_resemble_each_other_count_for_less() -> None:
    random = np.random.default_rng(1)
    sessions = [str(number % 8) for number in range(800)]
    alike = random.standard_normal(800) + np.tile(random.standard_normal(8), 100)

    assert inflation(alike, sessions) > 20


def test_a_feature_that_never_varies_can_change() -> None:
    agent = Agent(INDEPENDENT, np.random.default_rng(4))
    still = [_with_latency(each, 5.0) for each in agent.calls(_LEARNED)]
    baseline = Baseline.of(still)
    window = list(blocks(baseline, [_with_latency(each, 6.0) for each in agent.calls(50)]))

    latency = next(each for each in examine(baseline, window) if each.feature == "latency")

    assert math.isfinite(latency.deviation)
    assert latency.excess >= 1.0


def test_an_answer_that_nobody_had_the_time_to_read_is_not_an_empty_one() -> None:
    [call] = observed(Caller(uuid7(), uuid7()).calls(1, answer_chars=None), {})
    numbers = dict(zip(NUMBERS, call.numbers, strict=True))
    labels = dict(zip(LABELS, call.labels, strict=True))
    assert {name for name, value in numbers.items() if value is None} == {"answer_chars"}
    assert {name for name, value in labels.items() if value is None} == {"refusals", "tools", "tool_order"}


def _with_latency(observation: Observation, latency: float) -> Observation:
    if observation.numbers[0] is None:
        return observation
    return replace(observation, numbers=(latency, *observation.numbers[1:]))


def _with_tools(observation: Observation, *tools: str) -> Observation:
    if observation.labels[2] is None:
        return observation
    errors, refusals, _, *others = observation.labels
    return replace(observation, labels=(errors, refusals, tools, *others))
