"""Bearer tokens: `ibex_pat_<uuid>_<secret>`.

The secret is 32 random bytes and a checksum of the id and those bytes, in base62. The checksum is made with
the installation's pepper, so that a token which is mistyped, of another installation or made up is refused
without a look-up: whoever sends random ones has one chance in four thousand million to reach the database.
Only an HMAC-SHA-256 under the pepper is stored; a random 256-bit secret needs no slow hash.
"""

import hmac
import re
import secrets
from dataclasses import dataclass
from hashlib import sha256
from uuid import UUID

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_DIGITS = {character: value for value, character in enumerate(_ALPHABET)}
_RANDOM_BYTES = 32
_CHECKSUM_BYTES = 4
# 36 bytes in base 62: ceil(36 * 8 / log2(62)) digits.
_SECRET_LENGTH = 49
_TOKEN = re.compile(
    rf"ibex_pat_([0-9a-f]{{8}}(?:-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}})_([0-9A-Za-z]{{{_SECRET_LENGTH}}})"
)
LENGTH = len("ibex_pat_") + 36 + 1 + _SECRET_LENGTH


@dataclass(frozen=True, slots=True)
class Token:
    """A well-formed token. `secret` must not be logged, so it stays out of the repr."""

    id: UUID
    secret: bytes

    def __repr__(self) -> str:
        return f"Token(id={self.id})"

    def text(self, pepper: bytes) -> str:
        """What its holder sends. It is shown once and never stored."""
        return f"ibex_pat_{self.id}_{_encode(self.secret + _checksum(self, pepper))}"


def generate(token_id: UUID) -> Token:
    """A token with a new secret."""
    return Token(token_id, secrets.token_bytes(_RANDOM_BYTES))


def parse(text: str, pepper: bytes) -> Token | None:
    """The token that `text` is, or None when it is malformed or its checksum does not fit."""
    match = _TOKEN.fullmatch(text)
    if match is None:
        return None
    number = 0
    for character in match[2]:
        number = number * 62 + _DIGITS[character]
    try:
        data = number.to_bytes(_RANDOM_BYTES + _CHECKSUM_BYTES, "big")
    except OverflowError:
        return None
    token = Token(UUID(match[1]), data[:_RANDOM_BYTES])
    return token if hmac.compare_digest(_checksum(token, pepper), data[_RANDOM_BYTES:]) else None


def token_id(text: str) -> UUID | None:
    """The id that a token's text names, true or not, for the record of who was refused."""
    match = _TOKEN.fullmatch(text)
    return UUID(match[1]) if match else None


def secret_hash(token: Token, pepper: bytes) -> bytes:
    """What is stored of a secret: HMAC-SHA-256 of the id and the secret, 32 bytes."""
    return hmac.digest(pepper, token.id.bytes + token.secret, sha256)


def matches(token: Token, pepper: bytes, stored: bytes) -> bool:
    """Whether the secret is the one stored, compared in constant time."""
    return hmac.compare_digest(secret_hash(token, pepper), stored)


def _checksum(token: Token, pepper: bytes) -> bytes:
    return hmac.digest(pepper, b"checksum" + token.id.bytes + token.secret, sha256)[:_CHECKSUM_BYTES]


def _encode(data: bytes) -> str:
    number = int.from_bytes(data, "big")
    digits = []
    for _ in range(_SECRET_LENGTH):
        number, digit = divmod(number, 62)
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))
