"""The token pepper, the master keys and the kept credentials."""

import asyncio
import stat
from pathlib import Path

import psycopg

from ibex.auth import (
    Credentials,
    KeyRing,
    MasterKeyError,
    PepperError,
    TokenValidator,
    verify_keys,
    verify_pepper,
)
from ibex.auth.bootstrap import CREDENTIALS
from ibex.auth.pepper import pepper_file
from ibex.doctor.finding import Finding, ok, problem, warning
from ibex.doctor.repository import has_fingerprint
from ibex.errors import ErrorCode, IbexError
from ibex.serving.secrets import existing_keys, existing_pepper
from ibex.settings import Settings
from ibex.storage import DatabaseUnavailableError, Postgres, first_line

_PATIENCE = 5.0


def pepper(settings: Settings, dsn: str) -> Finding:
    """Whether there is one, private, and the one that the database's tokens were made with.

    `dsn` is empty when there is no database to ask.
    """
    path = pepper_file(settings.data_dir)
    if settings.token_pepper is None:
        try:
            mode = stat.S_IMODE(path.stat().st_mode)
        except FileNotFoundError:
            return _missing(path, dsn)
        except OSError as error:
            return problem("token pepper", f"{path}: {error.strerror}.", "Run as the owner of the file.")
        if mode & 0o077:
            return problem("token pepper", f"{path} can be read by others.", f"chmod 600 {path}")
    try:
        secret = existing_pepper(settings)
        if not dsn:
            return ok("token pepper", "There is one.")
        if not has_fingerprint(dsn):
            return ok("token pepper", "There is one; the database has no tokens yet.")
        asyncio.run(_verify(dsn, secret))
    except PepperError as error:
        return problem("token pepper", str(error), "Put the right one back.")
    except (psycopg.Error, DatabaseUnavailableError) as error:
        return warning(
            "token pepper",
            f"There is one; the database was not asked ({first_line(error)}).",
            "Mend the database first.",
        )
    return ok("token pepper", "There is one, and the database's tokens were made with it.")


def _missing(path: Path, dsn: str) -> Finding:
    try:
        is_needed = bool(dsn) and has_fingerprint(dsn)
    except psycopg.Error as error:
        return warning(
            "token pepper",
            f"{path} is not there; the database was not asked ({first_line(error)}).",
            "Mend the database first.",
        )
    if is_needed:
        return problem(
            "token pepper",
            f"{path} is missing, and this database's tokens were made with it.",
            "Put it back from a backup, or set IBEX_TOKEN_PEPPER to what is in it.",
        )
    return ok("token pepper", "There is none yet; the first start makes one.")


def master_keys(settings: Settings, dsn: str) -> Finding:
    """Whether they are private, and open every provider key of the database; `dsn` as for `pepper`."""
    try:
        ring = existing_keys(settings)
        if ring.file is not None and ring.file.exists() and stat.S_IMODE(ring.file.stat().st_mode) & 0o077:
            return problem("master keys", f"{ring.file} can be read by others.", f"chmod 600 {ring.file}")
        here = ring.all()
        if dsn:
            asyncio.run(_verify_keys(dsn, ring))
    except MasterKeyError as error:
        return problem("master keys", str(error), "`ibex keys list` shows which ones are needed.")
    except OSError as error:
        return problem("master keys", f"{error.filename}: {error.strerror}.", "Run as the owner of the file.")
    except (psycopg.errors.UndefinedFunction, psycopg.errors.InvalidSchemaName):
        return ok("master keys", "The database holds no provider keys yet.")
    except (psycopg.Error, DatabaseUnavailableError) as error:
        return warning(
            "master keys", f"The database was not asked ({first_line(error)}).", "Mend the database first."
        )
    if not here:
        return ok("master keys", "There is none yet; the first start makes one.")
    needed = "; every provider key opens with them" if dsn else ""
    return ok("master keys", f"Primary {here[0].id}, and {len(here) - 1} older{needed}.")


def credentials(settings: Settings, dsn: str) -> Finding:
    """Whether the kept token is readable by its owner only, and works; `dsn` as for `pepper`."""
    path = settings.data_dir / CREDENTIALS
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError:
        return ok("credentials", f"{CREDENTIALS} is not there; a first start writes it.")
    if mode & 0o077:
        return problem("credentials", f"{path} can be read by others.", f"chmod 600 {path}")
    kept = Credentials.read(path)
    if kept is None:
        return problem(
            "credentials",
            f"{path} cannot be read or is damaged.",
            "Remove it; `ibex token create` makes another token.",
        )
    if not dsn:
        return ok("credentials", f"{path}, readable by its owner only.")
    return _validity(settings, dsn, kept, path)


def _validity(settings: Settings, dsn: str, kept: Credentials, path: Path) -> Finding:
    try:
        secret = existing_pepper(settings)
        if not has_fingerprint(dsn):
            return warning(
                "credentials",
                f"The token in {path} is of another database; this one has none yet.",
                "Check IBEX_POSTGRES_DSN, or remove the file.",
            )
        asyncio.run(_authenticate(dsn, secret, kept.token))
    except PepperError:
        return warning("credentials", "The token was not checked, without a pepper.", "Mend the pepper.")
    except psycopg.Error as error:
        return warning(
            "credentials", f"The token was not checked: {first_line(error)}.", "Mend the database first."
        )
    except IbexError as error:
        if error.code is ErrorCode.AUTH_UNAVAILABLE:
            return warning("credentials", "The token was not checked.", "Mend the database first.")
        return problem(
            "credentials",
            f"The token in {path} is refused: {error.message}",
            "Create another with `ibex token create`, and put it there or remove the file.",
        )
    return ok("credentials", f"{path}, readable by its owner only, and its token is valid.")


async def _verify(dsn: str, secret: bytes) -> None:
    postgres = Postgres(dsn, connections=1, wait=_PATIENCE)
    await postgres.open()
    try:
        await verify_pepper(postgres, secret)
    finally:
        await postgres.close()


async def _verify_keys(dsn: str, ring: KeyRing) -> None:
    postgres = Postgres(dsn, connections=1, wait=_PATIENCE)
    await postgres.open()
    try:
        await verify_keys(postgres, ring)
    finally:
        await postgres.close()


async def _authenticate(dsn: str, secret: bytes, token: str) -> None:
    postgres = Postgres(dsn, connections=1, wait=_PATIENCE)
    validator = TokenValidator(
        postgres, secret, cache_seconds=0.0, timeout=_PATIENCE, feed_is_live=lambda: False
    )
    await postgres.open()
    try:
        await validator.authenticate(token, None)
    finally:
        await postgres.close()
