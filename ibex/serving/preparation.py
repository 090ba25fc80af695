"""Everything that must be true before the first request: dependencies there, schema current, an identity."""

import asyncio
from contextlib import suppress

import psycopg
from redis.exceptions import RedisError

from ibex.app import Connections
from ibex.auth import (
    Administration,
    Credentials,
    MasterKeyError,
    PepperError,
    Quota,
    bootstrap,
    installation_keys,
    verify_pepper,
)
from ibex.auth.pepper import installation_pepper
from ibex.serving.clickhouse import prepare_clickhouse
from ibex.serving.dependencies import connect_redis, wait_for_postgres
from ibex.serving.errors import PreparationError
from ibex.serving.secrets import key_settings
from ibex.serving.servers import Addresses, Report
from ibex.settings import Settings
from ibex.storage import DatabaseUnavailableError, Postgres, first_line
from ibex.storage.migrations import MigrationError, migrate


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
        asyncio.run(prepare_clickhouse(settings, report))
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
        keys = await installation_keys(postgres, settings.data_dir, *key_settings(settings))
        administration = Administration.over(
            postgres, changes, pepper, keys, settings.providers, Quota.of(settings)
        )
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
