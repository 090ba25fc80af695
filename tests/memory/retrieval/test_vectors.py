"""Vectors are kept in a quarter of their size, and compare as before."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ibex.memory.retrieval.vectors import Vectors


def unit(seed: int, rows: int) -> NDArray[np.float32]:
    vectors = np.random.default_rng(seed).standard_normal((rows, 384)).astype(np.float32)
    normal: NDArray[np.float32] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return normal


@given(st.integers(0, 1_000), st.integers(1, 600), st.integers(0, 600))
def test_products_are_those_of_the_vectors_whether_they_came_at_once_or_not(
    seed: int, rows: int, first: int
) -> None:
    matrix, asked = unit(seed, rows), unit(seed + 1, 1)[0]
    grown = Vectors.empty().followed_by(list(matrix[:first])).followed_by(list(matrix[first:]))
    at_once = Vectors.empty().followed_by(list(matrix))
    assert grown.products(asked) == pytest.approx(matrix @ asked, abs=2e-3)
    assert (grown.products(asked) == at_once.products(asked)).all()


def test_a_slot_without_a_vector_is_zero_and_so_is_a_vector_of_zeros() -> None:
    vectors = Vectors.empty().followed_by([None, np.zeros(384, np.float32), unit(1, 1)[0]])
    assert vectors.products(unit(1, 1)[0]) == pytest.approx([0, 0, 1], abs=2e-3)


def test_an_older_value_does_not_see_what_a_newer_one_has_added() -> None:
    matrix = unit(3, 3)
    older = Vectors.empty().followed_by([matrix[0]])
    left, right = older.followed_by([matrix[1]]), older.followed_by([matrix[2]])
    assert len(older.products(matrix[0])) == 1
    assert left.products(matrix[1])[1] == pytest.approx(1, abs=2e-3)
    assert right.products(matrix[2])[1] == pytest.approx(1, abs=2e-3)


def test_a_row_that_is_kept_again_stays_as_it_is() -> None:
    once = Vectors.empty().followed_by(list(unit(4, 20)))
    rows = once.rows(np.arange(20))
    assert (Vectors.empty().followed_by(list(rows)).rows(np.arange(20)) == rows).all()
