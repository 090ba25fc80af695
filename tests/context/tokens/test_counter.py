"""Tokens are counted exactly where the vocabulary is known; estimates learn from what providers report."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibex.context.models import ModelCatalogue
from ibex.context.tokens import TokenCounter, Vocabulary, overhead
from ibex.context.tokens.correction import Corrections

CATALOGUE = ModelCatalogue.of_package({})
EXACT, ESTIMATED = "gpt-4o", "claude-opus-4-6"
TEXT = "It was a bright cold day in April, and the clocks were striking thirteen. " * 40


def learned(corrections: Corrections, true_ratio: float, calls: int, estimate: int = 1_000) -> float:
    """The factor after so many calls whose prompts have `true_ratio` times the tokens that were estimated."""
    for _ in range(calls):
        estimated = round(estimate * corrections.factor("m"))
        corrections.observe("m", estimated, round(estimate * true_ratio))
    return corrections.factor("m")


def test_models_with_the_vocabulary_of_the_package_are_counted_exactly(
    counter: TokenCounter, vocabulary: Vocabulary
) -> None:
    for model in ("gpt-4o", "openai/gpt-4.1-mini", "gpt-5", "o3-mini", "gpt-oss-120b"):
        assert counter.is_exact(model)
        assert counter.count(TEXT, model) == vocabulary.count(TEXT)


def test_others_are_estimated_rather_too_high(counter: TokenCounter) -> None:
    for model in (ESTIMATED, "gpt-4", "gemini-2.5-pro", "unheard-of"):
        assert not counter.is_exact(model)
        assert counter.count(TEXT, model) >= counter.count(TEXT, EXACT)


def test_an_empty_text_has_no_tokens_and_any_other_has(counter: TokenCounter) -> None:
    for model in (EXACT, ESTIMATED):
        assert counter.count("", model) == 0
        assert counter.count(" ", model) >= 1


def test_before_the_vocabulary_is_loaded_everything_is_an_estimate() -> None:
    counter = TokenCounter(CATALOGUE, Vocabulary())

    assert not counter.is_exact(EXACT)
    assert 0.5 < counter.count(TEXT, EXACT) / 680 < 2


def test_an_estimate_is_not_kept_as_a_count(vocabulary: Vocabulary) -> None:
    late = Vocabulary()
    counter = TokenCounter(CATALOGUE, late)
    estimate = counter.count(TEXT, EXACT)
    late.load()

    assert counter.count(TEXT, EXACT) == vocabulary.count(TEXT) != estimate


@given(texts=st.lists(st.text(max_size=300), max_size=5))
def test_no_text_has_more_tokens_than_bytes(vocabulary: Vocabulary, texts: list[str]) -> None:
    counter = TokenCounter(CATALOGUE, vocabulary)
    assert counter.count_all(texts, EXACT) <= counter.at_most(texts)


def test_a_text_that_was_counted_before_has_the_same_count(counter: TokenCounter) -> None:
    assert len({counter.count(TEXT, EXACT) for _ in range(3)}) == 1
    assert counter.count(TEXT + "and on", EXACT) > counter.count(TEXT, EXACT)


def test_what_providers_report_moves_the_estimates_of_their_model_only(counter: TokenCounter) -> None:
    before = counter.count(TEXT, ESTIMATED)
    for _ in range(200):
        counter.observe(ESTIMATED, counter.count(TEXT, ESTIMATED), 600)

    assert abs(counter.count(TEXT, ESTIMATED) - 600) < 20 < abs(before - 600)
    assert counter.count(TEXT, "claude-haiku-4-5") == before


def test_what_is_counted_exactly_is_not_corrected(counter: TokenCounter) -> None:
    before = counter.count(TEXT, EXACT)
    for _ in range(200):
        counter.observe(EXACT, before, 2 * before)

    assert counter.count(TEXT, EXACT) == before


@pytest.mark.parametrize("ratio", [0.6, 0.9, 1.0, 1.3, 1.9])
def test_a_correction_arrives_at_the_truth(ratio: float) -> None:
    assert abs(learned(Corrections(), ratio, 400) / ratio - 1) < 0.02


def test_a_correction_is_slow() -> None:
    assert 0.98 < learned(Corrections(), 1.9, 1) < 1.02
    assert 1.05 < learned(Corrections(), 1.9, 10) < 1.15


@pytest.mark.parametrize(("ratio", "bound"), [(0.01, 0.5), (50.0, 2.0)])
def test_a_correction_has_bounds(ratio: float, bound: float) -> None:
    assert abs(learned(Corrections(), ratio, 2_000) - bound) < 1e-6


def test_calls_that_are_far_off_change_little_among_many_that_agree() -> None:
    corrections, chance = Corrections(), random.Random(7)
    for _ in range(2_000):
        learned(corrections, 40.0 if chance.random() < 0.05 else 1.3, 1)

    assert abs(corrections.factor("m") / 1.3 - 1) < 0.03


@pytest.mark.parametrize(("estimated", "reported"), [(0, 10), (10, 500), (-5, 5), (1_000, 0), (1_000, -3)])
def test_what_tells_nothing_teaches_nothing(estimated: int, reported: int) -> None:
    corrections = Corrections()

    corrections.observe("m", estimated, reported)

    assert corrections.factor("m") == 1.0


def test_models_that_were_not_heard_of_for_long_are_forgotten() -> None:
    corrections = Corrections()
    corrections.observe("first", 1_000, 1_500)
    for number in range(256):
        corrections.observe("second", 1_000, 1_500)
        corrections.observe(f"model {number}", 1_000, 1_500)

    assert corrections.factor("first") == 1.0
    assert corrections.factor("second") > 1.0


def test_messages_and_attachments_have_an_overhead() -> None:
    assert overhead("openai", 1) == 7
    assert overhead("openai", 10) - overhead("openai", 9) == 4
    assert overhead("anthropic", 3, attachments=2) > 2_000
