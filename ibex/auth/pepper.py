"""The installation's secret under which token hashes are stored."""

import hmac
import secrets
from hashlib import sha256
from pathlib import Path

from ibex.auth.installation import repository, secret_file
from ibex.storage import Postgres

_FILE = Path("secrets") / "token-pepper"
_FINGERPRINT = "token-pepper-fingerprint"


class PepperError(Exception):
    """The pepper is unusable or not the one that the stored tokens were made with."""


def pepper_file(data_dir: Path) -> Path:
    """Where a start keeps the pepper that no setting gives."""
    return data_dir / _FILE


def load_pepper(data_dir: Path, configured: str | None) -> bytes:
    """The pepper from the settings, else from the data directory, where the first start makes one (0600).

    Raises `PepperError` when the configured one is too short or the file cannot be used.
    """
    if configured is not None:
        if len(configured) < 32:
            raise PepperError("`token_pepper` must have 32 characters at least: `openssl rand -hex 32`.")
        return configured.encode()
    path = pepper_file(data_dir)
    try:
        if not path.exists():
            secret_file.write_once(path, secrets.token_hex(32))
        text = path.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise PepperError(f"{path} cannot be used: {error}.") from error
    if len(text) < 32:
        raise PepperError(f"{path} is damaged: restore it from a backup, or set IBEX_TOKEN_PEPPER.")
    return text.encode()


async def installation_pepper(postgres: Postgres, data_dir: Path, configured: str | None) -> bytes:
    """As `load_pepper`, except that none is made for a database that has one already.

    Raises `PepperError`: with a new one every token would be refused, and the old one not be missed.
    """
    path = pepper_file(data_dir)
    # Whoever is first keeps its pepper before the database hears of it, so it is asked first here.
    has_one = await repository.has_installation_value(postgres, _FINGERPRINT)
    if has_one and configured is None and not path.exists():
        raise PepperError(
            f"{path} is missing. This database's tokens were made with a token pepper that only that file or "
            "another replica has: put the file back from a backup, or set IBEX_TOKEN_PEPPER to what is in it."
        )
    return load_pepper(data_dir, configured)


async def verify_pepper(postgres: Postgres, pepper: bytes) -> None:
    """Check that this is the pepper of the database's tokens; the first one to be seen is.

    Raises `PepperError`: with another pepper every token would be refused without a reason in sight.
    """
    fingerprint = hmac.digest(pepper, b"ibex token pepper", sha256).hex()
    async with postgres.transaction(None) as connection:
        known = await repository.installation_value(connection, _FINGERPRINT, fingerprint)
    if not hmac.compare_digest(known, fingerprint):
        raise PepperError(
            "The token pepper is not the one that this database's tokens were made with. "
            "Set IBEX_TOKEN_PEPPER to the same value on every replica; the first one to start keeps it in "
            "secrets/token-pepper of its data directory."
        )
