"""The secrets of webhooks, sealed under the master keys of the installation."""

from uuid import UUID

from ibex.auth import KeyRing, MasterKeyError, SealedStore
from ibex.auth.credentials.sealing import seal, unseal
from ibex.errors import ErrorCode, IbexError
from ibex.notifications.repository import secrets
from ibex.notifications.repository.secrets import SealedSecret

_PURPOSE = b"ibex webhook secret"

WEBHOOK_SECRETS = SealedStore(_PURPOSE, secrets.all_sealed, secrets.locked_under_other_keys, secrets.reseal)


def sealed(text: str, secret_id: UUID, org_id: UUID, keys: KeyRing) -> tuple[bytes, str]:
    """The secret under the primary key, and that key's id. Raises CREDENTIALS_UNAVAILABLE without one."""
    try:
        primary = keys.primary()
    except MasterKeyError as error:
        raise IbexError(ErrorCode.CREDENTIALS_UNAVAILABLE, str(error)) from None
    return seal(text, primary, org_id, str(secret_id), _PURPOSE), primary.id


def opened(secret: SealedSecret, org_id: UUID, keys: KeyRing) -> str:
    """Raises `UnsealError`."""
    return unseal(secret.sealed, secret.key_id, keys, org_id, str(secret.id), _PURPOSE)
