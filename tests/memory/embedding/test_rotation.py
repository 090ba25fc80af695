"""Whose turn it is."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ibex.memory.embedding.rotation import Request, Rotation

_BUDGET = 100


def request(*texts: str) -> Request:
    return Request(texts, np.empty((len(texts), 1), np.float32), lambda error: None)


def taken(rotation: Rotation) -> list[str]:
    return [asked.texts[place] for asked, place in rotation.take(_BUDGET)]


def test_a_question_does_not_wait_for_all_that_came_before_it() -> None:
    rotation = Rotation(1_000)
    for _ in range(9):
        rotation.add(request(*["x" * _BUDGET] * 100))
    assert taken(rotation) == ["x" * _BUDGET]

    rotation.add(request("question"))

    assert "question" in taken(rotation) + taken(rotation)


def test_a_request_with_many_texts_goes_on_however_many_questions_come() -> None:
    rotation = Rotation(1_000)
    rotation.add(request(*["x" * _BUDGET] * 3))
    batches = []
    for _ in range(6):
        rotation.add(request("q" * _BUDGET))
        batches += taken(rotation)

    assert batches.count("x" * _BUDGET) == 3


def test_requests_of_several_texts_take_turns() -> None:
    rotation = Rotation(1_000)
    rotation.add(request(*["x" * _BUDGET] * 3))
    rotation.add(request(*["y" * _BUDGET] * 2))

    order = [taken(rotation)[0][0] for _ in range(5)]

    assert order == ["x", "y", "x", "y", "x"]


def test_short_texts_share_a_batch_and_a_long_one_has_its_own() -> None:
    rotation = Rotation(10)
    rotation.add(request("y" * 200, "a" * 25, "b" * 25, "c" * 26, "d" * 25))

    assert taken(rotation) == ["d" * 25, "b" * 25, "a" * 25]
    assert taken(rotation) == ["c" * 26]
    assert taken(rotation) == ["y" * 200]
    assert taken(rotation) == []


def test_what_is_taken_back_is_not_worked_at() -> None:
    rotation = Rotation(10)
    first, second = request("a", "b"), request("c")
    rotation.add(first)
    rotation.add(second)

    rotation.remove(first)
    rotation.remove(first)

    assert rotation.size == 1
    assert taken(rotation) == ["c"]


@given(requests=st.lists(st.lists(st.text(max_size=150), min_size=1, max_size=8), max_size=8))
def test_every_text_is_taken_once_and_batches_keep_to_the_budget(requests: list[list[str]]) -> None:
    rotation = Rotation(64)
    for texts in requests:
        rotation.add(request(*texts))

    seen: list[str] = []
    while batch := taken(rotation):
        longest = max(len(text.encode()) for text in batch)
        assert len(batch) == 1 or len(batch) * longest <= _BUDGET
        seen += batch

    assert sorted(seen) == sorted(text for texts in requests for text in texts)
    assert rotation.size == 0
