"""A token's text: its form, its checksum, and what is kept of it."""

import re
from uuid import UUID

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ibex.auth import tokens
from ibex.auth.tokens import Token

FORM = re.compile(r"ibex_pat_[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}_[0-9A-Za-z]{49}")
ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
SECRETS = st.binary(min_size=32, max_size=32)


@given(st.uuids(), SECRETS)
def test_a_token_survives_being_written_and_read(token_id: UUID, secret: bytes) -> None:
    token = Token(token_id, secret)
    text = str(token)
    assert FORM.fullmatch(text)
    assert len(text) == tokens.LENGTH
    assert tokens.parse(text) == token


@given(st.uuids(), SECRETS, st.data())
def test_one_wrong_character_is_noticed(token_id: UUID, secret: bytes, data: st.DataObject) -> None:
    text = str(Token(token_id, secret))
    position = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.sampled_from(ALPHABET + "-_ é"))
    assume(other != text[position])
    assert tokens.parse(text[:position] + other + text[position + 1 :]) is None


@given(st.uuids(), SECRETS, st.data())
def test_two_characters_swapped_are_noticed(token_id: UUID, secret: bytes, data: st.DataObject) -> None:
    text = str(Token(token_id, secret))
    position = data.draw(st.integers(0, len(text) - 2))
    assume(text[position] != text[position + 1])
    swapped = text[:position] + text[position + 1] + text[position] + text[position + 2 :]
    assert tokens.parse(swapped) is None


@given(st.uuids(), SECRETS, st.data())
def test_a_part_or_more_of_a_token_is_none(token_id: UUID, secret: bytes, data: st.DataObject) -> None:
    text = str(Token(token_id, secret))
    assert tokens.parse(text[: data.draw(st.integers(0, len(text) - 1))]) is None
    for longer in (text + "0", "0" + text, text + "\n", " " + text, f"Bearer {text}"):
        assert tokens.parse(longer) is None


@given(st.text())
def test_any_other_text_is_none(text: str) -> None:
    assert tokens.parse(text) is None


def test_a_number_too_large_for_a_secret_is_none() -> None:
    assert tokens.parse(f"ibex_pat_{UUID(int=0)}_{'z' * 49}") is None


def test_each_token_has_a_secret_of_its_own() -> None:
    secrets = {tokens.generate(UUID(int=1)).secret for _ in range(100)}
    assert len(secrets) == 100
    assert {len(secret) for secret in secrets} == {32}


@given(st.uuids(), SECRETS, st.binary(min_size=1), st.binary(min_size=1))
def test_what_is_stored_depends_on_the_pepper(
    token_id: UUID, secret: bytes, one: bytes, other: bytes
) -> None:
    # HMAC pads a key with zeros and hashes a long one: keys that differ only in that are the same.
    assume(one.rstrip(b"\0") != other.rstrip(b"\0") and max(len(one), len(other)) <= 64)
    token = Token(token_id, secret)
    stored = tokens.secret_hash(token, one)
    assert len(stored) == 32
    assert stored != tokens.secret_hash(token, other)
    assert tokens.matches(token, one, stored)
    assert not tokens.matches(token, other, stored)


@given(st.uuids(), st.uuids(), SECRETS, SECRETS)
def test_what_is_stored_depends_on_id_and_secret(
    one: UUID, other: UUID, secret: bytes, another: bytes
) -> None:
    assume((one, secret) != (other, another))
    stored = tokens.secret_hash(Token(one, secret), b"pepper")
    assert not tokens.matches(Token(other, another), b"pepper", stored)


@given(st.uuids(), SECRETS)
def test_the_secret_is_not_in_the_repr(token_id: UUID, secret: bytes) -> None:
    token = Token(token_id, secret)
    shown = f"{token!r} {[token]} {(token,)}"
    assert str(token).rpartition("_")[2] not in shown
    assert repr(secret)[2:-1] not in shown
    assert secret.hex() not in shown
    assert str(token_id) in shown


def test_a_token_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        tokens.generate(UUID(int=1)).secret = b""  # type: ignore[misc]
