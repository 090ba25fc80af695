from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ibex.memory.retrieval import Hit, Index, Query, Record, search
from tests.memory.retrieval.records import NOW, START, direction, record, records, texts, vectors


def found(index: Index, text: str, vector: NDArray[np.float32] | None = None) -> dict[UUID, Hit]:
    return {hit.record.id: hit for hit in search([index], Query(text, vector, NOW), 100)}


@given(
    st.lists(st.tuples(records(), st.sets(st.integers(1, 40).map(lambda n: UUID(int=n)))), max_size=5),
    texts,
    vectors,
)
def test_an_updated_index_finds_what_a_new_one_finds(
    steps: list[tuple[list[Record], set[UUID]]], text: str, vector: NDArray[np.float32]
) -> None:
    index = Index.of([])
    live: dict[UUID, Record] = {}
    for changed, removed in steps:
        index = index.updated(changed, removed)
        live = {id_: kept for id_, kept in live.items() if id_ not in removed}
        live |= {each.id: each for each in changed}
    updated, rebuilt = found(index, text, vector), found(Index.of(live.values()), text, vector)
    assert len(index) == len(live)
    assert set(updated) == set(rebuilt)
    for id_, hit in rebuilt.items():
        assert updated[id_].record == replace(live[id_], embedding=None)
        assert updated[id_].score == pytest.approx(hit.score, abs=1e-4)


@given(records(least=1), records(), st.sets(st.integers(1, 40).map(lambda n: UUID(int=n))), texts, vectors)
def test_an_index_stays_as_it_was_when_another_is_made_of_it(
    before: list[Record], changed: list[Record], removed: set[UUID], text: str, vector: NDArray[np.float32]
) -> None:
    index = Index.of(before)
    at_first = found(index, text, vector)
    index.updated(changed, removed)
    index.updated([record(99, "kayak", vector=direction(0))], ())
    assert found(index, text, vector) == at_first


def test_two_successors_of_one_index_do_not_see_each_other() -> None:
    index = Index.of([record(1, "kayak", vector=direction(0)), record(2, "violin", vector=direction(1))])
    left = index.updated([record(3, "cheese", vector=direction(2))], ())
    right = index.updated([record(4, "garden", vector=direction(3))], ())
    assert found(left, "", direction(2))[UUID(int=3)].components.arms["semantic.text"].score == pytest.approx(
        1
    )
    assert found(right, "", direction(3))[UUID(int=4)].components.arms[
        "semantic.text"
    ].score == pytest.approx(1)
    assert UUID(int=4) not in left.slot_of


def test_many_changes_leave_no_more_slots_than_twice_the_memories() -> None:
    index = Index.of([record(number, f"kayak {number}") for number in range(1, 101)])
    for uses in range(300):
        index = index.updated([record(1 + uses % 100, f"kayak {uses}", uses=uses)], ())
    assert len(index) == 100
    assert len(index.records) <= 300
    assert all(index.occurrences(["kayak"])["kayak"].counts == 1)
    assert len(index.occurrences(["kayak"])["kayak"].positions) == 100


def test_a_removed_memory_leaves_no_word_behind() -> None:
    index = Index.of([record(1, "kayak"), record(2, "violin")]).updated([], [UUID(int=1), UUID(int=7)])
    assert list(index.occurrences(["kayak", "violin"])) == ["violin"]
    assert search([index], Query("kayak", None, NOW), 10) == []


def test_turns_follow_each_other_by_time_and_then_by_revision() -> None:
    index = Index.of(
        [
            record(1, "fourth", session="one", revision=9, at=START + timedelta(hours=1)),
            record(2, "second", session="one", revision=4),
            record(3, "third", session="one", revision=5),
            record(4, "first", session="one", revision=3),
        ]
    )
    turns = [index.at(position).text for position in range(len(index))]
    assert turns == ["first", "second", "third", "fourth"]


def test_vectors_of_two_lengths_are_refused() -> None:
    index = Index.of([record(1, "kayak", vector=[1, 0])])
    with pytest.raises(ValueError, match="one length"):
        index.updated([record(2, "violin", vector=[1, 0, 0])], ())


def test_the_length_of_a_neighbourhood_is_that_of_the_sum_of_its_vectors() -> None:
    turns = [record(number, "kayak", session="one", vector=direction(number)) for number in range(1, 4)]
    index = Index.of(turns[:1]).updated(turns[2:], ()).updated(turns[1:2], ())
    middle = index.norms[index.slot_of[UUID(int=2)]]
    assert middle == pytest.approx(np.linalg.norm(1.0 * direction(1) + direction(2) + 0.5 * direction(3)))
