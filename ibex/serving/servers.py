"""The bundled servers of one installation, and where its data is."""

import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import psycopg
from pydantic import SecretStr

from ibex.embedded import DataDirectory, EmbeddedError, PostgresServer, ValkeyServer
from ibex.settings import Settings

Report = Callable[[str], None]

_RUNTIME_FILE = "runtime.json"


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
        if not settings.is_embedded:
            return self._addresses()
        _create(settings.data_dir)
        self._directory = DataDirectory(settings.data_dir)
        if settings.postgres_dsn is None:
            self._postgres = PostgresServer(self._directory.path / "postgres", report=report)
            self._postgres.launch()
        if settings.redis_url is None:
            self._valkey = ValkeyServer(self._directory.path / "valkey", report=report)
            self._valkey.launch()
        for server in self._launched():
            server.wait_ready()
        addresses = self._addresses()
        _write_private(settings.data_dir / _RUNTIME_FILE, json.dumps(asdict(addresses)))
        return addresses

    def reachable(self) -> Addresses | None:
        """The addresses that can be used without starting anything: those of an IBEX that runs on this data
        directory, or configured ones. None when servers would have to be started.
        """
        addresses = self.noted()
        if not (addresses.postgres_dsn and addresses.redis_url):
            return None
        if self._settings.postgres_dsn is None:
            try:
                psycopg.connect(addresses.postgres_dsn, connect_timeout=5).close()
            except psycopg.Error:
                return None
        return addresses

    def noted(self) -> Addresses:
        """The configured addresses; for those that are not, what the IBEX that last ran here has noted.

        Empty where there is neither.
        """
        try:
            kept = json.loads((self._settings.data_dir / _RUNTIME_FILE).read_text("utf-8"))
            noted = Addresses(**kept)
        except (OSError, ValueError, TypeError):
            noted = Addresses("", "", "")
        return replace(noted, **self._configured())

    def configured(self) -> Addresses:
        """The addresses that the settings give; empty where they give none."""
        return replace(Addresses("", "", ""), **self._configured())

    def have_data(self) -> bool:
        """Whether there is a database to start or to connect to."""
        cluster = self._settings.data_dir / "postgres" / "cluster"
        return self._settings.postgres_dsn is not None or cluster.exists()

    def restart_dead(self) -> list[str]:
        """Launch whichever has died, without waiting until it answers; returns a sentence on each."""
        told = []
        for server in self._launched():
            if server.poll() is None:
                continue
            name = "PostgreSQL" if server is self._postgres else "Valkey"
            try:
                server.launch()
            except EmbeddedError as error:
                told.append(f"{name} has died and cannot be launched: {error}")
            else:
                told.append(f"{name} has died and is launched again")
        return told

    def stop(self) -> None:
        """Stop them, the database last."""
        for server in reversed(self._launched()):
            server.stop()
        if self._directory is not None:
            (self._settings.data_dir / _RUNTIME_FILE).unlink(missing_ok=True)
            self._directory.close()

    def _launched(self) -> list[PostgresServer | ValkeyServer]:
        return [server for server in (self._postgres, self._valkey) if server is not None]

    def _addresses(self) -> Addresses:
        addresses = Addresses("", "", "")
        if self._postgres is not None:
            addresses = replace(
                addresses,
                postgres_dsn=self._postgres.service_dsn,
                migration_dsn=self._postgres.owner_dsn,
            )
        if self._valkey is not None:
            addresses = replace(addresses, redis_url=self._valkey.url)
        return replace(addresses, **self._configured())

    def _configured(self) -> dict[str, str]:
        """The addresses that the settings give, by the names of `Addresses`."""
        settings = self._settings
        given = {"postgres_dsn": settings.postgres_dsn, "redis_url": settings.redis_url}
        if settings.postgres_dsn is not None:
            given["migration_dsn"] = settings.postgres_migration_dsn or settings.postgres_dsn
        return {name: _reveal(secret) for name, secret in given.items() if secret is not None}


def _create(data_dir: Path) -> None:
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise EmbeddedError(
            f"The data directory {data_dir} cannot be created: {error.strerror}. "
            "Choose another one with --data-dir or IBEX_DATA_DIR."
        ) from None


def _reveal(secret: SecretStr) -> str:
    return secret.get_secret_value()


def _write_private(path: Path, text: str) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    draft.replace(path)
