"""A long text is read in parts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibex.memory.embedding.local import LocalEmbedder
from ibex.memory.embedding.minilm import MiniLM
from ibex.memory.embedding.passages import passages

FILLER = "The committee went through the minutes of its previous meeting and found them in order. "
LAST = "Afterwards the ferry to Stornoway was cancelled because of the storm."


@pytest.mark.parametrize("text", ["", " ", "🙂", "A sentence.\nAnother one.", "x" * 1_000])
def test_a_short_text_is_one_part_and_stays_as_it_is(text: str) -> None:
    assert passages(text) == [text]


@given(st.lists(st.sampled_from(["kayak", "a", "\n\n", "-", "車庫", "x" * 40, "🙂"]), max_size=900))
def test_parts_are_few_and_short_and_hold_what_comes_first_in_its_order(words: list[str]) -> None:
    text = " ".join(words)
    parts = passages(text)
    assert 1 <= len(parts) <= 4
    assert all(len(part) <= 1_050 for part in parts)
    together = "".join("".join(parts).split())
    assert "".join(text.split()).startswith(together)
    assert len(together) >= len("".join(text[:4_000].split())) - 100


def test_parts_are_of_about_the_same_length() -> None:
    lengths = [len(part) for part in passages(FILLER * 13)]
    assert len(lengths) == 2
    assert max(lengths) < 1.2 * min(lengths)


def test_a_word_without_end_is_cut_too() -> None:
    assert [len(part) for part in passages("x" * 100_000)] == [1_050, 1_050, 1_050, 850]


async def test_what_stands_at_the_end_of_a_long_text_counts_for_its_meaning(minilm: MiniLM) -> None:
    local = LocalEmbedder(minilm)
    try:
        long, without, question, short = await local.embed(
            [FILLER * 25 + LAST, FILLER * 25, "Which ship did not sail?", LAST]
        )
    finally:
        await local.close()
    assert question @ long > question @ without + 0.05
    assert np.linalg.norm(long) == pytest.approx(1)
    assert np.abs(short - minilm.vectors([minilm.split(LAST)])[0]).max() < 1e-6
