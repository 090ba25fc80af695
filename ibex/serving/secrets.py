"""The secrets of an installation that has been started before."""

from pathlib import Path

from ibex.auth import KeyRing, PepperError, key_ring, load_pepper
from ibex.auth.pepper import pepper_file
from ibex.settings import Settings


def existing_pepper(settings: Settings) -> bytes:
    """The pepper of an installation that has been started before; unlike a start, this makes none.

    Raises `PepperError`.
    """
    if settings.token_pepper is not None:
        return load_pepper(settings.data_dir, settings.token_pepper.get_secret_value())
    path = pepper_file(settings.data_dir)
    if not path.exists():
        raise PepperError(
            f"There is no {path}, which the first `ibex serve` makes. "
            "If that has run elsewhere, name its data directory with --data-dir, or set IBEX_TOKEN_PEPPER."
        )
    return load_pepper(settings.data_dir, None)


def existing_keys(settings: Settings) -> KeyRing:
    """The master keys; unlike a start, this makes none. Raises `MasterKeyError` when given ones are wrong."""
    return key_ring(settings.data_dir, *key_settings(settings))


def key_settings(settings: Settings) -> tuple[str | None, Path | None]:
    """The master keys that are given, and the file that is named."""
    given = settings.master_key.get_secret_value() if settings.master_key is not None else None
    return given, settings.master_key_file
