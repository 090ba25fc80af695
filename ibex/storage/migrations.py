"""Applies the numbered migrations, once, however many replicas start together."""

from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

import ibex
from ibex.storage.postgres import first_line

if TYPE_CHECKING:
    import sqlalchemy

# Any constant does, as long as every replica uses the same.
_LOCK = 0x1BE0_0001

# Row security separates the tenants only as long as the role that serves neither owns the tables nor is
# above it.
_SERVING_ROLE = """
SELECT
    current_user::text AS owner,
    rolname = current_user AS migrates,
    rolsuper OR rolbypassrls AS is_above_row_security,
    pg_has_role(oid, current_user, 'MEMBER') AS has_rights_of_owner
FROM pg_roles
WHERE rolname = 'ibex_service'
"""


class MigrationError(Exception):
    """The schema cannot be brought up to date; the message says why and what to do."""


def directory() -> Path:
    """Where the migrations are: inside an installed package, beside it in a source checkout."""
    package = Path(ibex.__file__).parent
    installed = package / "_migrations" / "postgres"
    return installed if installed.is_dir() else package.parent / "migrations" / "postgres"


def latest() -> str:
    """The newest revision this code knows."""
    return max(file.name.split("_", 1)[0] for file in directory().glob("[0-9]*.py"))


def current(dsn: str) -> str | None:
    """The revision of a database, None when it has none yet. Raises `MigrationError`."""
    try:
        with psycopg.connect(dsn, connect_timeout=5) as connection:
            exists = connection.execute("SELECT to_regclass('ibex.alembic_version')").fetchone()
            if exists is None or exists[0] is None:
                return None
            row = connection.execute("SELECT version_num FROM ibex.alembic_version").fetchone()
            return str(row[0]) if row else None
    except psycopg.errors.InsufficientPrivilege as error:
        raise MigrationError(f"The database cannot be read: {first_line(error)}.") from error
    except psycopg.ProgrammingError:
        # What libpq says of an address that it cannot parse quotes it, password and all.
        raise MigrationError("The address of the database is malformed.") from None
    except psycopg.Error as error:
        raise MigrationError(f"The database cannot be read: {first_line(error)}.") from error


def migrate(dsn: str) -> tuple[str | None, str]:
    """Bring a database to the newest revision and return the revisions before and after.

    The role in `dsn` owns the schema afterwards. Replicas that start together wait for one another
    at an advisory lock, which the server frees when its holder dies. Raises `MigrationError`.
    """
    before = _known(current(dsn))
    if before != latest():
        _upgrade(dsn)
    return before, latest()


def _known(revision: str | None) -> str | None:
    """The revision itself, unless it is newer than this code. Raises `MigrationError`."""
    if revision is not None and revision > latest():
        raise MigrationError(
            f"The database is at revision {revision}, newer than this version of IBEX ({latest()}) knows. "
            "Install the newer version."
        )
    return revision


def _upgrade(dsn: str) -> None:
    # Imported here because a start without pending migrations, the usual one, does not need it.
    from alembic import command
    from alembic.config import Config
    from sqlalchemy import create_engine, exc, pool

    config = Config()
    config.set_main_option("script_location", str(directory().parent))
    config.set_main_option("version_locations", str(directory()))
    config.set_main_option("path_separator", "newline")
    engine = create_engine(
        "postgresql+psycopg://", creator=lambda: psycopg.connect(dsn), poolclass=pool.NullPool
    )
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql(f"SELECT pg_advisory_lock({_LOCK})")
            # A newer replica may have held the lock until now.
            _known(current(dsn))
            _check_serving_role(connection)
            connection.exec_driver_sql("CREATE SCHEMA IF NOT EXISTS ibex")
            connection.commit()
            config.attributes["connection"] = connection
            command.upgrade(config, "heads")
    except exc.DBAPIError as error:
        reason = f"The schema cannot be migrated: {first_line(error.orig or error)}."
        if isinstance(error.orig, psycopg.errors.InsufficientPrivilege):
            reason += (
                " IBEX_POSTGRES_MIGRATION_DSN must be the address of the role that owns the schema; "
                "without it IBEX_POSTGRES_DSN is used."
            )
        raise MigrationError(reason) from error
    finally:
        engine.dispose()


def _check_serving_role(connection: "sqlalchemy.Connection") -> None:
    """Raises `MigrationError` when a schema of this owner could not keep tenants apart."""
    role = connection.exec_driver_sql(_SERVING_ROLE).one_or_none()
    if role is None:
        return
    if role.migrates:
        raise MigrationError(
            "The role ibex_service serves requests and must not migrate: as the owner it could read every "
            "organization. Give `postgres_migration_dsn` another role."
        )
    if role.is_above_row_security:
        raise MigrationError(
            "PostgreSQL's row security does not bind ibex_service, so tenants would not be kept apart: "
            "ALTER ROLE ibex_service NOSUPERUSER NOBYPASSRLS."
        )
    if role.has_rights_of_owner:
        raise MigrationError(
            f"The role ibex_service is a member of {role.owner}, which migrates: it could read every "
            f"organization. REVOKE {role.owner} FROM ibex_service, or migrate as another role."
        )
