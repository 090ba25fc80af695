from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibex.memory.retrieval import Index, Query, Record, search
from ibex.memory.retrieval.ranking import CONFIDENCE, RECENCY, RELEVANCE, USE, USEFULNESS
from tests.memory.retrieval.records import NOW, START, record

REPEATED = "The gate code is written inside the shed."


def order(memories: list[Record]) -> list[int]:
    hits = search([Index.of(memories)], Query("gate code", None, NOW), 10)
    return [hit.record.id.int for hit in hits]


def test_the_weights_sum_to_one() -> None:
    assert pytest.approx(1) == RELEVANCE + RECENCY + USEFULNESS + CONFIDENCE + USE


@pytest.mark.parametrize(
    "better",
    [
        record(1, REPEATED, at=START + timedelta(days=9)),
        record(1, REPEATED, usefulness=0.9),
        record(1, REPEATED, confidence=1.0),
        record(1, REPEATED, uses=5),
    ],
    ids=["newer", "more useful", "surer", "more used"],
)
def test_among_equally_relevant_memories_the_better_comes_first(better: Record) -> None:
    assert order([record(2, REPEATED, confidence=0.9), better]) == [1, 2]


def test_a_relevant_memory_outranks_a_newer_and_much_liked_one_that_is_less_relevant() -> None:
    memories = [
        record(1, REPEATED, at=START - timedelta(days=700)),
        record(2, "There is a gate.", usefulness=1.0, uses=90, at=NOW),
        *[record(number, f"Errand number {number}.") for number in range(3, 20)],
    ]
    assert order(memories)[0] == 1


def test_what_happened_fades_faster_than_what_is_so() -> None:
    memories = [record(1, REPEATED, kind="episodic"), record(2, REPEATED, kind="factual")]
    assert order(memories) == [2, 1]


def test_a_memory_from_the_future_is_as_recent_as_one_of_now() -> None:
    hits = search([Index.of([record(1, REPEATED, at=NOW + timedelta(days=9))])], Query("gate", None, NOW), 1)
    assert hits[0].components.recency == 1


@given(
    st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1), st.integers(0, 10**6)), min_size=1, max_size=8),
    st.floats(0, 0.5),
)
def test_more_of_a_good_thing_never_lowers_a_memory(
    priors: list[tuple[float, float, int]], more: float
) -> None:
    memories = [
        record(number, REPEATED, usefulness=usefulness, confidence=confidence, uses=uses)
        for number, (usefulness, confidence, uses) in enumerate(priors, 1)
    ]
    usefulness, confidence, uses = priors[0]
    raised = record(1, REPEATED, usefulness=min(1, usefulness + more), confidence=confidence, uses=uses)
    assert order([raised, *memories[1:]]).index(1) <= order(memories).index(1)


@given(st.permutations(range(1, 7)))
def test_more_of_the_words_asked_for_never_lowers_a_memory(permutation: list[int]) -> None:
    words = ["gate", "code", "shed", "ladder", "paint", "hinge"]
    memories = [
        record(number, " ".join(words[:number] + ["filler"] * (6 - number))) for number in permutation
    ]
    hits = search([Index.of(memories)], Query(" ".join(words), None, NOW), 10)
    assert [hit.record.id.int for hit in hits] == [6, 5, 4, 3, 2, 1]
    assert np.all(np.diff([hit.components.lexical for hit in hits]) <= 0)
