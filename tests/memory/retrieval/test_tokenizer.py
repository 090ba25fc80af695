# ruff: noqa: RUF001, the point here is other scripts
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibex.memory.retrieval.tokenizer import Tokenizer


def terms(text: str) -> list[str]:
    return sorted(Tokenizer().terms(text).counts)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("hiking", "hiked"),
        ("CRÈME brûlée", "creme brulee"),
        ("the 8th", "08"),
        ("12,500 euros", "12500 euro"),
        ("Łódź straße", "łodz strasse"),
        ("don’t isn't we'll", ""),
        ("Ana's boat", "ana boats"),
        ("ｗｉｄｅ", "wide"),
        ("٣ كتب", "3 كتب"),
        ("snow_shoe", "snow shoe"),
        ("кошка работает", "Кошку работала"),
        ("городской чай", "городских чаёв чая"),
        ("مدرسة", "المدرسة"),
        ("γάτες", "γάτα"),
        ("लड़के", "लड़का"),
    ],
)
def test_spellings_of_one_thing_are_the_same_terms(one: str, other: str) -> None:
    assert terms(one) == terms(other)


@pytest.mark.parametrize("text", ["", "   ", "🙂🎉", "?!…", "the of and", "\x00\x01", "🇵🇹 👩‍👩‍👧"])
def test_text_without_words_has_no_terms(text: str) -> None:
    found = Tokenizer().terms(text)
    assert (dict(found.counts), found.length, found.stated) == ({}, 0, 0)


def test_scripts_without_spaces_are_cut_into_pairs_and_ideographs() -> None:
    assert terms("東京都 in ひらがな") == sorted(["東京", "京都", "東", "京", "都", "ひら", "らが", "がな"])
    assert terms("猫") == ["猫"]


def test_vowel_signs_stay_within_their_words() -> None:
    assert terms("हिन्दी शब्द") == sorted(["हिन्द", "शब्द"])
    assert terms("한국어") == sorted(["한국", "국어"])


def test_what_a_text_asks_is_not_stated() -> None:
    tokenizer = Tokenizer()
    assert tokenizer.terms("Lisbon trams rattle.").stated == 3
    assert tokenizer.terms("Do Lisbon trams rattle?").stated == 0
    assert tokenizer.terms("Lisbon trams rattle. Ever ridden any?").stated == pytest.approx(3, abs=1e-9)
    assert tokenizer.terms("路面電車ですか？").stated == 0


@given(st.text())
def test_any_text_can_be_cut(text: str) -> None:
    found = Tokenizer().terms(text)
    assert found.length == found.counts.total()
    assert 0 <= found.stated <= found.length
    assert found == Tokenizer().terms(text)


def test_a_megabyte_without_a_space_is_one_word_of_bounded_length() -> None:
    assert [len(term) for term in terms("a1" * 500_000)] == [64]
