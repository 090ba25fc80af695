"""Long texts in pieces."""

from hypothesis import given
from hypothesis import strategies as st

from ibex.context.learning.pieces import LONGEST, pieces

_texts = st.lists(
    st.sampled_from(["word ", "A sentence of some words. ", "\n", "\n\n", "x" * 700, "字" * 500, "。", " "]),
    max_size=40,
).map("".join)


@given(_texts)
def test_no_piece_is_too_long_or_empty_and_nothing_visible_is_lost(text: str) -> None:
    found = pieces(text)
    assert all(1 <= len(piece) <= LONGEST for piece in found)
    assert "".join("".join(found).split()) == "".join(text.split())


def test_a_short_text_is_one_piece() -> None:
    assert pieces("One.\n\nTwo.") == ["One.\n\nTwo."]


def test_paragraphs_stay_together() -> None:
    long = "This is one sentence. " * 40
    assert pieces(f"{long}\n\n{long}") == [long.strip(), long.strip()]


def test_a_paragraph_that_is_too_long_is_cut_between_sentences() -> None:
    assert all(piece.endswith(".") for piece in pieces("This is one sentence. " * 200))
