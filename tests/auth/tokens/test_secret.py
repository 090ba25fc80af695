"""A token's text: its form, its checksum, and what is kept of it."""

import re
from uuid import UUID

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ibex.auth.tokens.secret import LENGTH, Token, generate, matches, parse, secret_hash, token_id

FORM = re.compile(r"ibex_pat_[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}_[0-9A-Za-z]{49}")
ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
PEPPER = b"the pepper of this installation, kept apart"
SECRETS = st.binary(min_size=32, max_size=32)
TOKENS = st.builds(Token, st.uuids(), SECRETS)


@given(TOKENS)
def test_a_token_survives_being_written_and_read(token: Token) -> None:
    text = token.text(PEPPER)
    assert FORM.fullmatch(text)
    assert len(text) == LENGTH
    assert parse(text, PEPPER) == token


@given(TOKENS, st.data())
def test_one_wrong_character_is_noticed(token: Token, data: st.DataObject) -> None:
    text = token.text(PEPPER)
    position = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.sampled_from(ALPHABET + "-_ é"))
    assume(other != text[position])
    assert parse(text[:position] + other + text[position + 1 :], PEPPER) is None


@given(TOKENS, st.data())
def test_two_characters_swapped_are_noticed(token: Token, data: st.DataObject) -> None:
    text = token.text(PEPPER)
    position = data.draw(st.integers(0, len(text) - 2))
    assume(text[position] != text[position + 1])
    swapped = text[:position] + text[position + 1] + text[position] + text[position + 2 :]
    assert parse(swapped, PEPPER) is None


@given(TOKENS, st.data())
def test_a_part_or_more_of_a_token_is_none(token: Token, data: st.DataObject) -> None:
    text = token.text(PEPPER)
    assert parse(text[: data.draw(st.integers(0, len(text) - 1))], PEPPER) is None
    for longer in (text + "0", "0" + text, text + "\n", " " + text, f"Bearer {text}"):
        assert parse(longer, PEPPER) is None


@given(st.text())
def test_any_other_text_is_none(text: str) -> None:
    assert parse(text, PEPPER) is None


def test_a_number_too_large_for_a_secret_is_none() -> None:
    assert parse(f"ibex_pat_{UUID(int=0)}_{'z' * 49}", PEPPER) is None


@given(TOKENS)
def test_whoever_lacks_the_pepper_cannot_make_one_up(token: Token) -> None:
    assert parse(token.text(b"the pepper of another installation"), PEPPER) is None


@given(st.uuids(), st.text(alphabet=ALPHABET, min_size=49, max_size=49))
def test_the_right_form_is_not_enough(token_id: UUID, secret: str) -> None:
    assert parse(f"ibex_pat_{token_id}_{secret}", PEPPER) is None


@given(st.uuids(), TOKENS)
def test_a_secret_moved_to_another_id_is_noticed(other: UUID, token: Token) -> None:
    assume(other != token.id)
    text = token.text(PEPPER)
    assert parse(text.replace(str(token.id), str(other)), PEPPER) is None


@given(TOKENS)
def test_the_id_is_read_off_any_text_of_the_form(token: Token) -> None:
    assert token_id(token.text(PEPPER)) == token.id
    assert token_id(token.text(b"another pepper")) == token.id
    assert token_id(token.text(PEPPER)[:-1]) is None


def test_each_token_has_a_secret_of_its_own() -> None:
    secrets = {generate(UUID(int=1)).secret for _ in range(100)}
    assert len(secrets) == 100
    assert {len(secret) for secret in secrets} == {32}


@given(TOKENS, st.binary(min_size=1), st.binary(min_size=1))
def test_what_is_stored_depends_on_the_pepper(token: Token, one: bytes, other: bytes) -> None:
    # HMAC pads a key with zeros and hashes a long one: keys that differ only in that are the same.
    assume(one.rstrip(b"\0") != other.rstrip(b"\0") and max(len(one), len(other)) <= 64)
    stored = secret_hash(token, one)
    assert len(stored) == 32
    assert stored != secret_hash(token, other)
    assert matches(token, one, stored)
    assert not matches(token, other, stored)


@given(st.uuids(), st.uuids(), SECRETS, SECRETS)
def test_what_is_stored_depends_on_id_and_secret(
    one: UUID, other: UUID, secret: bytes, another: bytes
) -> None:
    assume((one, secret) != (other, another))
    stored = secret_hash(Token(one, secret), b"pepper")
    assert not matches(Token(other, another), b"pepper", stored)


@given(TOKENS)
def test_the_checksum_tells_nothing_of_what_is_stored(token: Token) -> None:
    """Both come from one pepper: neither must be a part of the other."""
    shown = token.text(PEPPER).rpartition("_")[2]
    number = sum(ALPHABET.index(digit) * 62**place for place, digit in enumerate(reversed(shown)))
    checksum = number.to_bytes(36, "big")[32:]
    assert checksum != secret_hash(token, PEPPER)[:4]


@given(TOKENS)
def test_the_secret_is_not_in_the_repr(token: Token) -> None:
    shown = f"{token!r} {token} {[token]} {(token,)}"
    assert token.text(PEPPER).rpartition("_")[2] not in shown
    assert repr(token.secret)[2:-1] not in shown
    assert token.secret.hex() not in shown
    assert str(token.id) in shown


def test_a_token_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        generate(UUID(int=1)).secret = b""  # type: ignore[misc]
