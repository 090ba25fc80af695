"""The vocabulary in the package is OpenAI's own, and counts whatever it is given."""

import base64
import hashlib
import threading

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tiktoken import Encoding
from tiktoken_ext import openai_public

from ibex.context.tokens import Vocabulary, VocabularyError
from ibex.context.tokens.vocabulary import PATTERN, pieces, ranks, read

# ruff: noqa: RUF001, the point here is other scripts
# What tiktoken's `openai_public.py` expects of the file that it would download.
OFFICIAL = "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d"
_LONG = st.lists(
    st.one_of(
        st.sampled_from(
            [
                "it's",
                "we'll",
                " DON'T",
                "\n\n  x",
                " \n",
                "a_b.",
                "1234.5",
                "。中文，",
                "   ",
                "/\n/",
                "é",
                "e\u0301",
            ]
        ),
        st.text(max_size=5),
    ),
    min_size=1,
    max_size=30,
).map("".join)


def test_the_file_is_the_official_one_written_more_tightly() -> None:
    lines = [base64.b64encode(token) + f" {rank}\n".encode() for token, rank in ranks(read()).items()]

    assert hashlib.sha256(b"".join(lines)).hexdigest() == OFFICIAL


def test_text_is_cut_up_as_tiktoken_does_it(monkeypatch: pytest.MonkeyPatch) -> None:
    # The official constructor, less its download.
    monkeypatch.setattr(openai_public, "load_tiktoken_bpe", lambda *_, **__: {})

    assert openai_public.o200k_base()["pat_str"] == PATTERN


def test_a_damaged_file_is_not_used() -> None:
    damaged = bytearray(read())
    damaged[-1] ^= 1

    with pytest.raises(VocabularyError):
        ranks(bytes(damaged))


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", 0),
        ("hello world", 2),
        ("antidisestablishmentarianism", 6),
        ("2 + 2 = 4", 7),
        ("お誕生日おめでとう", 8),
    ],
)
def test_counts_are_those_that_openai_shows(vocabulary: Vocabulary, text: str, tokens: int) -> None:
    """From OpenAI's cookbook, "How to count tokens with tiktoken"."""
    assert vocabulary.count(text) == tokens


def test_special_tokens_are_text_like_any_other(vocabulary: Vocabulary) -> None:
    assert vocabulary.count("<|endoftext|>") == vocabulary.count("<|nothing_like_it|>") == 7


@pytest.mark.parametrize(
    "text", ["\ud800", " ", "\n", "^", "\u0301", "\U0001f600", " a", "aA", "1", "<", "\x00"]
)
def test_nothing_is_too_long_or_too_strange(vocabulary: Vocabulary, text: str) -> None:
    count = vocabulary.count(text * 400_000)

    assert count is not None
    assert 0 < count <= 4 * len(text) * 400_000


@pytest.fixture(scope="module")
def encoding() -> Encoding:
    """What tiktoken makes of the same file, without our cutting."""
    return Encoding("o200k_base", pat_str=PATTERN, mergeable_ranks=ranks(read()), special_tokens={})


@settings(max_examples=40, deadline=None)
@given(unit=_LONG, filler=_LONG, length=st.integers(30_000, 120_000))
@example(unit="00/", filler="000/", length=33_100)
@example(unit="/\n", filler="x/\n", length=40_000)
@example(unit="/\t", filler="/\n\t", length=40_000)
@example(unit="\x1c", filler="/\x1d\x1c", length=40_000)
def test_a_text_in_pieces_has_as_many_tokens_as_in_one(
    encoding: Encoding, unit: str, filler: str, length: int
) -> None:
    text = (f"{unit} and{filler} " * length)[:length]
    cut = list(pieces(text))

    assert "".join(cut) == text
    assert sum(len(encoding.encode_ordinary(piece)) for piece in cut) == len(encoding.encode_ordinary(text))


def test_it_may_be_loaded_from_any_thread_and_more_than_once() -> None:
    vocabulary = Vocabulary()
    assert vocabulary.count("hello world") is None
    assert not vocabulary.is_loaded

    threads = [threading.Thread(target=vocabulary.load) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert vocabulary.is_loaded
    assert vocabulary.count("hello world") == 2
