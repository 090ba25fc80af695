"""Everything that must be true before the first request: servers up, schema current, an identity to use."""

import asyncio
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import psycopg
from pydantic import SecretStr

from ibex.app import Connections
from ibex.auth import Administration, Credentials, PepperError, bootstrap, load_pepper, verify_pepper
from ibex.embedded import DataDirectory, EmbeddedError, PostgresServer, ValkeyServer
from ibex.settings import Settings
from ibex.storage import DatabaseUnavailableError, Postgres, connect_single
from ibex.storage.migrations import MigrationError, migrate

Report = Callable[[str], None]

_RUNTIME_FILE = "runtime.json"
_PATIENCE = 30.0
# What the bundled Postgres admits, less what migrations, the command line and diagnosis may need.
_EMBEDDED_CONNECTIONS = 80


class PreparationError(Exception):
    """IBEX cannot start; the message is a sentence that says why and what to do."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the data is: as the service, and as the owner of the schema who migrates it."""

    postgres_dsn: str
    migration_dsn: str
    redis_url: str

    def __repr__(self) -> str:
        return "Addresses(…)"


class Servers:
    """The bundled servers that this installation needs: those whose address is not configured."""

    def __init__(self, settings: Settings, report: Report) -> None:
        self._settings = settings
        self._directory: DataDirectory | None = None
        self._postgres: PostgresServer | None = None
        self._valkey: ValkeyServer | None = None
        self._report = report

    def start(self) -> Addresses:
        """Start them side by side and wait until they answer. Raises `EmbeddedError`."""
        settings, report = self._settings, self._report
        if settings.is_embedded:
            self._directory = DataDirectory(settings.data_dir)
        else:
            settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        if settings.postgres_dsn is None:
            self._postgres = PostgresServer(settings.data_dir / "postgres", report=report)
            self._postgres.launch()
        if settings.redis_url is None:
            self._valkey = ValkeyServer(settings.data_dir / "valkey", report=report)
            self._valkey.launch()
        for server in self._running():
            server.wait_ready()
        addresses = self._addresses()
        if settings.is_embedded:
            _write_private(settings.data_dir / _RUNTIME_FILE, json.dumps(asdict(addresses)))
        return addresses

    def running(self) -> Addresses | None:
        """The addresses that an IBEX on this data directory uses at the moment, if one runs."""
        try:
            kept = json.loads((self._settings.data_dir / _RUNTIME_FILE).read_text("utf-8"))
            addresses = Addresses(**kept)
            psycopg.connect(addresses.postgres_dsn, connect_timeout=5).close()
        except (OSError, ValueError, TypeError, psycopg.OperationalError):
            return None
        return addresses

    def restart_dead(self) -> list[str]:
        """Bring back whichever has died; returns their names."""
        dead = [server for server in self._running() if server.poll() is not None]
        for server in dead:
            server.launch()
        for server in dead:
            server.wait_ready()
        return [type(server).__name__ for server in dead]

    def stop(self) -> None:
        """Stop them, the database last."""
        for server in reversed(self._running()):
            server.stop()
        if self._directory is not None:
            (self._settings.data_dir / _RUNTIME_FILE).unlink(missing_ok=True)
            self._directory.close()

    def _running(self) -> list[PostgresServer | ValkeyServer]:
        return [server for server in (self._postgres, self._valkey) if server is not None]

    def _addresses(self) -> Addresses:
        settings = self._settings
        service = owner = _reveal(settings.postgres_dsn)
        if settings.postgres_migration_dsn is not None:
            owner = _reveal(settings.postgres_migration_dsn)
        if self._postgres is not None:
            service, owner = self._postgres.service_dsn, self._postgres.owner_dsn
        return Addresses(service, owner, self._valkey.url if self._valkey else _reveal(settings.redis_url))


def _reveal(secret: SecretStr | None) -> str:
    return secret.get_secret_value() if secret is not None else ""


def prepare(
    settings: Settings, addresses: Addresses, report: Report
) -> tuple[Connections, Credentials | None]:
    """Migrate, check the pepper, make sure that there is a first identity. Raises `PreparationError`."""
    try:
        _wait_for_postgres(addresses, report)
        before, after = migrate(addresses.migration_dsn)
        if before != after:
            report(f"Schema brought from {before or 'nothing'} to {after}.")
        pepper = load_pepper(
            settings.data_dir, settings.token_pepper.get_secret_value() if settings.token_pepper else None
        )
        credentials = asyncio.run(_bootstrap(settings, addresses, pepper))
    except (MigrationError, PepperError, EmbeddedError) as error:
        raise PreparationError(str(error)) from error
    except DatabaseUnavailableError as error:
        raise PreparationError(f"The database does not answer: {error}") from error
    return Connections(addresses.postgres_dsn, addresses.redis_url, pepper), credentials


def connections_per_process(settings: Settings) -> int:
    """The bundled Postgres is shared out among the processes; another one is the operator's to size."""
    if settings.postgres_dsn is not None:
        return settings.postgres_connections
    return max(2, min(settings.postgres_connections, _EMBEDDED_CONNECTIONS // settings.workers))


async def _bootstrap(settings: Settings, addresses: Addresses, pepper: bytes) -> Credentials | None:
    postgres = Postgres(addresses.postgres_dsn, connections=1)
    changes = connect_single(addresses.redis_url, timeout=1.0)
    await postgres.open()
    try:
        await verify_pepper(postgres, pepper)
        administration = Administration(postgres, changes, pepper, actor="system")
        return await bootstrap(administration, settings.data_dir, f"{settings.url}/v1")
    finally:
        await changes.aclose()
        await postgres.close()


def _wait_for_postgres(addresses: Addresses, report: Report) -> None:
    """A database that starts at the same time, as in a compose file, may need a moment."""
    deadline = time.monotonic() + _PATIENCE
    told = False
    while True:
        try:
            psycopg.connect(addresses.migration_dsn, connect_timeout=5).close()
        except psycopg.OperationalError as error:
            if time.monotonic() > deadline:
                first = (str(error).strip().splitlines() or ["no reason given"])[0]
                raise PreparationError(f"Postgres cannot be reached: {first}") from None
            if not told:
                report("Waiting for Postgres …")
                told = True
            time.sleep(0.25)
        else:
            return


def _write_private(path: Path, text: str) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    draft.replace(path)


def say(sentence: str) -> None:
    """Progress, for the person in front of the terminal."""
    sys.stderr.write(f"{sentence}\n")
    sys.stderr.flush()
