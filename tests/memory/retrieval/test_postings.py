"""Postings say the same as the texts, however the texts came in."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from ibex.memory.retrieval.postings import Postings
from ibex.memory.retrieval.tokenizer import Terms

WORDS = "abcdef"


@given(st.lists(st.lists(st.text(WORDS, min_size=1, max_size=12), max_size=4), max_size=4))
def test_each_term_has_the_slots_that_hold_it(batches: list[list[str]]) -> None:
    postings, texts = Postings.empty(), list[str]()
    for batch in batches:
        postings = postings.followed_by([Terms(Counter(text), len(text), 0.0) for text in batch], len(texts))
        texts += batch
    for word, (slots, counts) in zip(WORDS, postings.of(WORDS), strict=True):
        found = dict(zip(slots.tolist(), counts.tolist(), strict=True))
        assert found == {slot: text.count(word) for slot, text in enumerate(texts) if word in text}


def test_a_term_that_is_repeated_without_end_is_counted_as_far_as_it_matters() -> None:
    postings = Postings.empty().followed_by([Terms(Counter({"no": 1_000_000}), 1_000_000, 0.0)], 0)
    ((_, counts),) = postings.of(["no"])
    assert counts.tolist() == [65_535]
