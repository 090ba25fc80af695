"""Postgres and Redis, as a start finds them."""

import time

import psycopg
from psycopg.conninfo import conninfo_to_dict
from redis.asyncio import Redis as SingleRedis

from ibex.serving.errors import PreparationError
from ibex.serving.servers import Report
from ibex.storage import connect_single, first_line

_PATIENCE = 30.0
_PAUSE = 0.25
_REDIS_PATIENCE = 2.0
# What a server says that will do as soon as it has started; any other refusal stays one.
_TRANSIENT_REFUSALS = ("starting up", "shutting down", "not yet accepting", "recovery", "too many")


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


def _is_final(error: psycopg.Error) -> bool:
    said = str(error)
    return "FATAL" in said and not any(refusal in said for refusal in _TRANSIENT_REFUSALS)
