"""Our word pieces are those of the library that the model was trained with."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from ibex.memory.embedding.wordpiece import WordPieces

_LONGEST = 256
_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_ALL = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000]


@pytest.fixture(scope="module")
def ours(model_files: Path) -> WordPieces:
    return WordPieces((model_files / "vocab.txt").read_text("utf-8").splitlines())


@pytest.fixture(scope="module")
def theirs(model_files: Path) -> Tokenizer:
    """As the model's own tokenizer.json sets it up."""
    vocabulary = models.WordPiece.read_file(str(model_files / "vocab.txt"))
    library = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]", max_input_chars_per_word=100))
    library.add_special_tokens(list(_SPECIAL))
    library.normalizer = normalizers.BertNormalizer(lowercase=True)
    library.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    library.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 101), ("[SEP]", 102)]
    )
    library.enable_truncation(_LONGEST)
    return library


def test_every_character_is_split_alike_unless_it_is_newer_than_the_librarys_tables(
    ours: WordPieces, theirs: Tokenizer
) -> None:
    different = []
    for start in range(0, len(_ALL), 4_096):
        characters = _ALL[start : start + 4_096]
        expected = theirs.encode_batch([f"ab{character}cd {character}" for character in characters])
        different += [
            character
            for character, split in zip(characters, expected, strict=True)
            if ours.split(f"ab{character}cd {character}", _LONGEST) != split.ids
        ]

    # The smallest of them has the number 0x61D, and no script of everyday use is among them.
    assert len(different) < 1_000
    assert min(different, default="\uffff") > "\u0600"
    assert not any("\u3040" <= character <= "\ua000" for character in different)


@given(text=st.text(st.characters(max_codepoint=0x5FF, exclude_categories=["Cn", "Cs"]), max_size=200))
def test_any_text_is_split_alike(ours: WordPieces, theirs: Tokenizer, text: str) -> None:
    assert ours.split(text, _LONGEST) == theirs.encode(text).ids


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "[CLS] is no word [SEP ] [MASK]",
        "x" * 100,
        "x" * 101,
        "é" * 120,
        "naïve café, 東京 & Ünïcödé!",
        "ΣΊΣΥΦΟΣ ẞ ﬁ İ",
        "가각힣 שלום مرحبا नमस्ते",
        "👍🏽 👨‍👩‍👧",
        "a\x00b\x85c\u2028d\u200be",
        "word " * 400,
    ],
)
def test_a_difficult_text_is_split_alike(ours: WordPieces, theirs: Tokenizer, text: str) -> None:
    assert ours.split(text, _LONGEST) == theirs.encode(text).ids
