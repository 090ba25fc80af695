"""Everything that must be true before the first request: dependencies there, schema current, an identity."""

import asyncio
import importlib
import importlib.util
import sys
import time
from contextlib import suppress
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict
from redis.asyncio import Redis as SingleRedis
from redis.exceptions import RedisError

from ibex.app import Connections, dead_ends, rpc_listener
from ibex.auth import (
    Administration,
    Credentials,
    KeyRing,
    MasterKeyError,
    PepperError,
    bootstrap,
    installation_keys,
    key_ring,
    load_pepper,
    verify_pepper,
)
from ibex.auth.pepper import installation_pepper
from ibex.auth.rpc import PACKAGES as RPC_PACKAGES
from ibex.auth.rpc import TlsError
from ibex.serving.servers import Addresses, Report
from ibex.settings import Settings
from ibex.storage import DatabaseUnavailableError, Postgres, connect_single
from ibex.storage.migrations import MigrationError, migrate

_PATIENCE = 30.0
_PAUSE = 0.25
_REDIS_PATIENCE = 2.0
# What the bundled Postgres admits, less what migrations, the command line and diagnosis may need.
_EMBEDDED_CONNECTIONS = 80
_FEWEST_CONNECTIONS = 2
CONNECTIONS_PER_JOB_PROCESS = 2
# What a server says that will do as soon as it has started; any other refusal stays one.
_TRANSIENT_REFUSALS = ("starting up", "shutting down", "not yet accepting", "recovery", "too many")


class PreparationError(Exception):
    """IBEX cannot start; the message is a sentence that says why and what to do."""


def check_settings(settings: Settings) -> None:
    """What can be told to be wrong before anything is started. Raises `PreparationError`."""
    _check_tracing(settings)
    _check_rpc(settings)
    _check_aliases(settings)


def prepare(
    settings: Settings, addresses: Addresses, report: Report
) -> tuple[Connections, Credentials | None]:
    """Migrate, check the secrets, make sure that there is a first identity. Raises `PreparationError`."""
    # A replica that is given everything keeps nothing; whoever needs the folder says what is wrong with it.
    with suppress(OSError):
        settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        for dsn in dict.fromkeys((addresses.migration_dsn, addresses.postgres_dsn)):
            wait_for_postgres(dsn, report)
        before, after = migrate(addresses.migration_dsn)
        if before != after:
            report(f"Schema brought from {before or 'nothing'} to {after}.")
        connections, credentials = asyncio.run(_bootstrap(settings, addresses, report))
    except (MigrationError, PepperError, MasterKeyError) as error:
        raise PreparationError(str(error)) from error
    except DatabaseUnavailableError as error:
        raise PreparationError(f"The database does not answer: {error}.") from error
    except psycopg.Error as error:
        raise PreparationError(f"The database refuses what IBEX needs: {first_line(error)}.") from error
    except OSError as error:
        raise PreparationError(
            f"{error.filename or settings.data_dir} cannot be written: {error.strerror}. "
            "Choose another data directory with --data-dir or IBEX_DATA_DIR."
        ) from error
    return connections, credentials


def connections_per_process(settings: Settings) -> int:
    """The bundled Postgres is shared out among the processes; another one is the operator's to size.

    Raises `PreparationError` when there are too many of them.
    """
    if settings.postgres_dsn is not None:
        return settings.postgres_connections
    shared = _EMBEDDED_CONNECTIONS - CONNECTIONS_PER_JOB_PROCESS * settings.jobs
    each = shared // settings.workers
    if each < _FEWEST_CONNECTIONS:
        raise PreparationError(
            f"The bundled Postgres is too small for {settings.workers} web and {settings.jobs} job "
            "processes. Start fewer of them, or set IBEX_POSTGRES_DSN to the address of a larger one."
        )
    return min(settings.postgres_connections, each)


def existing_pepper(settings: Settings) -> bytes:
    """The pepper of an installation that has been started before; unlike a start, this makes none.

    Raises `PepperError`.
    """
    if settings.token_pepper is not None:
        return load_pepper(settings.data_dir, settings.token_pepper.get_secret_value())
    path = pepper_file(settings)
    if not path.exists():
        raise PepperError(
            f"There is no {path}, which the first `ibex serve` makes. "
            "If that has run elsewhere, name its data directory with --data-dir, or set IBEX_TOKEN_PEPPER."
        )
    return load_pepper(settings.data_dir, None)


def existing_keys(settings: Settings) -> KeyRing:
    """The master keys; unlike a start, this makes none. Raises `MasterKeyError` when given ones are wrong."""
    return key_ring(settings.data_dir, *_key_settings(settings))


def pepper_file(settings: Settings) -> Path:
    """Where a start keeps the pepper that no setting gives."""
    return settings.data_dir / "secrets" / "token-pepper"


def wait_for_postgres(dsn: str, report: Report) -> None:
    """Return when it answers: a database that starts at the same time, as in a compose file, needs a moment.

    Raises `PreparationError` when it refuses, or when it cannot be reached for half a minute.
    """
    check_dsn(dsn)
    deadline = time.monotonic() + _PATIENCE
    told = False
    while True:
        try:
            psycopg.connect(dsn, connect_timeout=5).close()
        except psycopg.Error as error:
            if _is_final(error) or time.monotonic() > deadline:
                raise PreparationError(
                    f"Postgres cannot be used: {first_line(error)}. "
                    "Check IBEX_POSTGRES_DSN (and IBEX_POSTGRES_MIGRATION_DSN)."
                ) from None
            if not told:
                report(f"Waiting for Postgres: {first_line(error)}.")
                told = True
            time.sleep(_PAUSE)
        else:
            return


def check_dsn(dsn: str) -> None:
    """Raises `PreparationError` when it is no connection string; the message does not quote it."""
    try:
        conninfo_to_dict(dsn)
    except psycopg.Error:
        raise PreparationError(
            "IBEX_POSTGRES_DSN is not a connection string of PostgreSQL. "
            "Write postgresql://user:password@host:5432/database."
        ) from None


def connect_redis(url: str) -> SingleRedis:
    """A client of one server. Raises `PreparationError`, which does not quote it, when it is no address."""
    try:
        return connect_single(url, timeout=_REDIS_PATIENCE)
    except ValueError:
        raise PreparationError(
            "IBEX_REDIS_URL is not an address of Redis. "
            "Write redis://user:password@host:6379/0, or rediss:// or unix://."
        ) from None


def first_line(error: BaseException) -> str:
    """What an error of the database says, without the statement and without a full stop."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")


def say(sentence: str) -> None:
    """Progress, for the person in front of the terminal; when that is gone, for nobody."""
    with suppress(OSError, ValueError):
        sys.stderr.write(f"{sentence}\n")
        sys.stderr.flush()


def _is_final(error: psycopg.Error) -> bool:
    said = str(error)
    return "FATAL" in said and not any(refusal in said for refusal in _TRANSIENT_REFUSALS)


def _check_aliases(settings: Settings) -> None:
    for alias, model in dead_ends(settings):
        raise PreparationError(
            f"The alias `{alias}` names the model `{model}`, which no provider serves. "
            "Correct it in `aliases`, or add the model to a provider's `models`."
        )


def _check_tracing(settings: Settings) -> None:
    """The processes will need these packages; imported here, they are shared and missed in time."""
    if settings.otlp_endpoint is None:
        return
    try:
        importlib.import_module("opentelemetry.sdk.trace.export")
        importlib.import_module("opentelemetry.exporter.otlp.proto.http.trace_exporter")
    except ImportError:
        raise PreparationError(
            "An OTLP endpoint is set, but its packages are missing. "
            "Install them with: pip install 'ibex[otel]'"
        ) from None


def _check_rpc(settings: Settings) -> None:
    """The packages are looked for and not imported: gRPC must not be there when the processes are forked."""
    listener = rpc_listener(settings)
    if listener is None:
        return
    if not all(importlib.util.find_spec(package) for package in RPC_PACKAGES):
        raise PreparationError(
            "A gRPC port is set, but its packages are missing. Install them with: pip install 'ibex[grpc]'"
        )
    try:
        if listener.tls is not None:
            listener.tls.read()
    except TlsError as error:
        raise PreparationError(
            f"{error} Check IBEX_GRPC_TLS_CERTIFICATE, IBEX_GRPC_TLS_KEY and IBEX_GRPC_TLS_CLIENT_CA."
        ) from None


def _key_settings(settings: Settings) -> tuple[str | None, Path | None]:
    given = settings.master_key.get_secret_value() if settings.master_key is not None else None
    return given, settings.master_key_file


async def _bootstrap(
    settings: Settings, addresses: Addresses, report: Report
) -> tuple[Connections, Credentials | None]:
    # One connection holds the lock that replicas wait at, another does the work.
    postgres = Postgres(addresses.postgres_dsn, connections=2)
    changes = connect_redis(addresses.redis_url)
    await postgres.open()
    try:
        configured = settings.token_pepper.get_secret_value() if settings.token_pepper else None
        pepper = await installation_pepper(postgres, settings.data_dir, configured)
        await verify_pepper(postgres, pepper)
        keys = await installation_keys(postgres, settings.data_dir, *_key_settings(settings))
        administration = Administration.over(postgres, changes, pepper, keys, settings.providers)
        credentials = await bootstrap(administration, settings.data_dir, f"{settings.url}/v1")
        try:
            await changes.ping()
        except (RedisError, OSError) as error:
            report(
                f"Redis does not answer ({type(error).__name__}). IBEX starts without it: "
                "limits are counted per process, conservatively, until it is back."
            )
        return Connections(addresses.postgres_dsn, addresses.redis_url, pepper, keys), credentials
    finally:
        await changes.aclose()
        await postgres.close()
