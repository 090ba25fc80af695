"""What must be true of the master keys before a process serves."""

from pathlib import Path

from ibex.auth.credentials import repository
from ibex.auth.credentials.key_ring import KeyRing, keep_first_key
from ibex.auth.credentials.master_key import MasterKeyError
from ibex.storage import Postgres

_FILE = Path("secrets") / "master-keys"


def key_ring(data_dir: Path, given: str | None, file: Path | None) -> KeyRing:
    """The keys from the settings, else those in the data directory; makes none.

    Raises `MasterKeyError` when the given ones are malformed.
    """
    return KeyRing.given(given) if given is not None else KeyRing.in_file(file or data_dir / _FILE)


async def installation_keys(
    postgres: Postgres, data_dir: Path, given: str | None, file: Path | None
) -> KeyRing:
    """As `key_ring`, checked against the database; the first start makes a key in the data directory (0600).

    Raises `MasterKeyError`, and has changed nothing then, when provider keys are stored that could not be
    opened, or when a file that the settings name is not there.
    """
    keys = key_ring(data_dir, given, file)
    await verify_keys(postgres, keys)
    if keys.file is not None and not keys.all():
        if file is not None:
            raise MasterKeyError(
                f"`master_key_file` names {file}, which is not there. Make it with: "
                f"(umask 077; openssl rand -hex 32 > {file})"
            )
        _keep_first(keys.file)
    return keys


async def verify_keys(postgres: Postgres, keys: KeyRing) -> None:
    """Raises `MasterKeyError` when the database needs a key that is not in the ring."""
    here = {key.id for key in keys.all()}
    missing = sorted(await repository.key_ids(postgres) - here)
    if missing:
        place = f"{keys.file} has" if keys.file is not None else "IBEX_MASTER_KEY has"
        raise MasterKeyError(
            "This database holds provider keys, or secrets of webhooks, that are sealed under the master key "
            f"{', '.join(missing)}; "
            f"{place} {', '.join(sorted(here)) or 'none'}. Nothing was changed. Put the missing key back, "
            "from a backup or another replica: into the file, or into IBEX_MASTER_KEY, behind a comma."
        )


def _keep_first(file: Path) -> None:
    try:
        keep_first_key(file)
    except OSError as error:
        raise MasterKeyError(
            f"{file} cannot be written ({error.strerror}). Set IBEX_MASTER_KEY: `openssl rand -hex 32`."
        ) from error
