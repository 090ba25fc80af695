"""Signatures as in Standard Webhooks 1.0 (https://www.standardwebhooks.com)."""

import base64
import hmac
import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import sha256

_PREFIX = "whsec_"
# The specification asks for 24 to 64; SHA-256 makes no use of more than 32.
_BYTES = 32


def new_secret() -> str:
    return _PREFIX + base64.b64encode(os.urandom(_BYTES)).decode()


def signed_headers(message_id: str, at: datetime, body: bytes, secrets: Sequence[str]) -> Mapping[str, str]:
    """The three headers that a receiver verifies.

    Parameters
    ----------
    message_id: the same for every attempt.
    at: of this attempt.
    secrets: each gives a signature, and any one of them is enough.
    """
    timestamp = str(int(at.timestamp()))
    content = b".".join((message_id.encode(), timestamp.encode(), body))
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(_signature(content, secret) for secret in secrets),
    }


def _signature(content: bytes, secret: str) -> str:
    key = base64.b64decode(secret.removeprefix(_PREFIX))
    return "v1," + base64.b64encode(hmac.digest(key, content, sha256)).decode()
