"""A sealed key opens in its own row, under its own master key, unchanged, and in no other way."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibex.auth import KeyRing
from ibex.auth.credentials.master_key import MasterKey
from ibex.auth.credentials.sealing import UnsealError, seal, unseal

KEY = MasterKey.of(b"\x01" * 32)
OTHER = MasterKey.of(b"\x02" * 32)
RING = KeyRing.given(f"{KEY.secret.hex()},{OTHER.secret.hex()}")
ACME, RIVAL = UUID(int=1), UUID(int=2)
TEXT = "sk-proj-0123456789abcdef"


@given(st.text(min_size=1, max_size=512), st.uuids(), st.text(min_size=1, max_size=63))
def test_what_was_sealed_opens(text: str, org_id: UUID, provider: str) -> None:
    text, provider = text.encode(errors="ignore").decode(), provider.encode(errors="ignore").decode()
    sealed = seal(text, KEY, org_id, provider)
    assert unseal(sealed, KEY.id, RING, org_id, provider) == text


def test_the_same_key_never_looks_the_same() -> None:
    sealed = {seal(TEXT, KEY, ACME, "openai") for _ in range(100)}
    assert len(sealed) == 100
    assert len({each[:12] for each in sealed}) == 100
    assert all(TEXT.encode() not in each for each in sealed)


@pytest.mark.parametrize(
    ("key_id", "org_id", "provider"),
    [
        (KEY.id, RIVAL, "openai"),
        (KEY.id, ACME, "other"),
        (OTHER.id, ACME, "openai"),
        ("0" * 12, ACME, "openai"),
    ],
    ids=["another organization", "another provider", "another key", "a key that is not there"],
)
def test_it_does_not_open_elsewhere(key_id: str, org_id: UUID, provider: str) -> None:
    sealed = seal(TEXT, KEY, ACME, "openai")
    with pytest.raises(UnsealError) as caught:
        unseal(sealed, key_id, RING, org_id, provider)
    assert TEXT not in str(caught.value)


@given(st.data())
def test_no_change_of_a_byte_and_no_cut_goes_unnoticed(data: st.DataObject) -> None:
    sealed = seal(TEXT, KEY, ACME, "openai")
    position = data.draw(st.integers(0, len(sealed) - 1))
    flipped = data.draw(st.integers(1, 255))
    damaged = bytearray(sealed)
    damaged[position] ^= flipped
    for wrong in (bytes(damaged), sealed[:position]):
        with pytest.raises(UnsealError):
            unseal(wrong, KEY.id, RING, ACME, "openai")
