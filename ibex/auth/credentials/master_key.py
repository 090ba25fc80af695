"""What provider keys are sealed under."""

import base64
import binascii
import hmac
import secrets
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Self

_BYTES = 32


class MasterKeyError(Exception):
    """A master key is malformed or not there; the message says what to do and quotes no key."""


@dataclass(frozen=True, slots=True)
class MasterKey:
    """256 random bits. `id` is a fingerprint: it tells keys apart and nothing about them."""

    secret: bytes = field(repr=False)
    id: str

    @classmethod
    def of(cls, secret: bytes) -> Self:
        return cls(secret, hmac.digest(secret, b"ibex master key", sha256).hex()[:12])

    @classmethod
    def generate(cls) -> Self:
        return cls.of(secrets.token_bytes(_BYTES))

    @classmethod
    def parse(cls, text: str) -> Self:
        """From 64 hexadecimal digits or base64. Raises `MasterKeyError`."""
        for decode in (binascii.unhexlify, _from_base64):
            try:
                secret = decode(text.strip())
            except ValueError:
                continue
            if len(secret) == _BYTES:
                return cls.of(secret)
        raise MasterKeyError(
            "A master key is 32 bytes, written as 64 hexadecimal digits or in base64: `openssl rand -hex 32`."
        )


def _from_base64(text: str) -> bytes:
    standard = text.replace("-", "+").replace("_", "/").rstrip("=")
    return base64.b64decode(standard + "=" * (-len(standard) % 4), validate=True)
