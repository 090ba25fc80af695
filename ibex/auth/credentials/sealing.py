"""AES-256-GCM (NIST SP 800-38D) over one secret, bound to the row that it is stored in."""

import os
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ibex.auth.credentials.key_ring import KeyRing
from ibex.auth.credentials.master_key import MasterKey, MasterKeyError

_NONCE_BYTES = 12
PROVIDER_KEY = b"ibex provider credential"


class UnsealError(Exception):
    """What is stored cannot be opened; the message says why, without a secret."""


def seal(text: str, key: MasterKey, org_id: UUID, name: str, purpose: bytes = PROVIDER_KEY) -> bytes:
    """Nonce, ciphertext and tag. The nonce is random, which is safe for some 2^32 texts under one key.

    `purpose` and `name` say which row it is for: by default a provider's key, and the provider.
    """
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + AESGCM(key.secret).encrypt(nonce, text.encode(), _bound_to(purpose, org_id, name, key.id))


def unseal(
    sealed: bytes, key_id: str, keys: KeyRing, org_id: UUID, name: str, purpose: bytes = PROVIDER_KEY
) -> str:
    """Raises `UnsealError` when its key is not at hand, or when it is not what was sealed for this row."""
    try:
        key = keys.find(key_id)
    except MasterKeyError as error:
        raise UnsealError(str(error)) from None
    if key is None:
        raise UnsealError(f"the master key {key_id[:32]!r} that it was sealed under is not here")
    nonce, ciphertext = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
    try:
        opened = AESGCM(key.secret).decrypt(nonce, ciphertext, _bound_to(purpose, org_id, name, key_id))
    except (InvalidTag, ValueError):
        raise UnsealError("it is damaged, or was sealed for another row") from None
    return opened.decode()


def _bound_to(purpose: bytes, org_id: UUID, name: str, key_id: str) -> bytes:
    """The associated data: what a sealed value cannot be separated from."""
    return b"\0".join((purpose, org_id.bytes, key_id.encode(), name.encode()))
