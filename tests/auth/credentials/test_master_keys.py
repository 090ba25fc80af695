"""Master keys: how they are written, where they are kept, and that nobody gets to see them."""

import base64
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ibex.auth import KeyRing, MasterKeyError
from ibex.auth.credentials.key_ring import keep_first_key
from ibex.auth.credentials.master_key import MasterKey

SECRET = bytes(range(32))
FORMS = {
    "hex": SECRET.hex(),
    "capital hex": SECRET.hex().upper(),
    "base64": base64.b64encode(SECRET).decode(),
    "base64 without padding": base64.b64encode(SECRET).decode().rstrip("="),
    "base64 for addresses": base64.urlsafe_b64encode(SECRET).decode(),
    "with a line end": f"{SECRET.hex()}\n",
}
WRONG = ["", "short", "zz" * 32, SECRET.hex()[:-2], base64.b64encode(SECRET + b"x").decode(), "é" * 32]


@pytest.mark.parametrize("text", FORMS.values(), ids=FORMS)
def test_it_is_the_same_key_in_every_form(text: str) -> None:
    assert MasterKey.parse(text) == MasterKey.of(SECRET)


@pytest.mark.parametrize("text", WRONG)
def test_what_is_not_32_bytes_is_refused_without_being_told(text: str) -> None:
    with pytest.raises(MasterKeyError) as caught:
        MasterKey.parse(text)
    assert not text or text not in str(caught.value)


def test_an_id_tells_keys_apart_and_is_none_of_their_bytes() -> None:
    keys = [MasterKey.generate() for _ in range(50)]
    assert len({key.id for key in keys}) == 50
    assert all(key.id not in key.secret.hex() for key in keys)


def test_of_several_given_ones_the_first_is_the_primary() -> None:
    first, second = MasterKey.generate(), MasterKey.generate()
    ring = KeyRing.given(f"{first.secret.hex()}, {second.secret.hex()}")
    assert ring.primary() == first
    assert ring.find(second.id) == second
    assert ring.find("000000000000") is None


def test_a_ring_does_not_tell_its_keys(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    keep_first_key(path)
    ring = KeyRing.in_file(path)
    key = ring.primary()
    for shown in (repr(ring), str(ring), repr(key), repr(KeyRing.given(key.secret.hex()))):
        assert key.secret.hex() not in shown
        assert repr(key.secret) not in shown


def test_starts_at_the_same_time_end_up_with_the_same_private_file(tmp_path: Path) -> None:
    path = tmp_path / "secrets" / "master-keys"
    start = threading.Barrier(8)

    def load() -> MasterKey:
        start.wait()
        keep_first_key(path)
        return KeyRing.in_file(path).primary()

    with ThreadPoolExecutor(8) as pool:
        assert len({future.result() for future in [pool.submit(load) for _ in range(8)]}) == 1
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert list(path.parent.iterdir()) == [path]


def test_a_running_process_finds_a_key_that_was_put_into_the_file_later(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    keep_first_key(path)
    running, rotating = KeyRing.in_file(path), KeyRing.in_file(path)
    old, new = running.primary(), MasterKey.generate()
    rotating.put_first(new)
    assert running.find(new.id) == new
    assert running.find(old.id) == old
    assert running.primary() == new
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_file_written_by_hand_may_hold_bare_keys(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text(f"{FORMS['base64']}\n\n{'ab' * 32}\n")
    assert [key.secret for key in KeyRing.in_file(path).all()] == [SECRET, b"\xab" * 32]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        b"short",
        b"\xff" * 64,
        f"000000000000 {SECRET.hex()}".encode(),
        SECRET.hex().encode() + b" x",
    ],
    ids=["empty", "blank", "short", "no text", "another id", "more words"],
)
def test_a_damaged_file_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "keys"
    path.write_bytes(content)
    with pytest.raises(MasterKeyError, match="keys") as caught:
        KeyRing.in_file(path).primary()
    assert SECRET.hex() not in str(caught.value)
    assert path.read_bytes() == content


def test_given_keys_are_not_changed_by_a_rotation() -> None:
    ring = KeyRing.given(SECRET.hex())
    with pytest.raises(MasterKeyError):
        ring.put_first(MasterKey.generate())
    assert ring.primary() == MasterKey.of(SECRET)
