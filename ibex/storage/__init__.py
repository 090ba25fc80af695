"""Where data is kept: Postgres and Redis."""

from ibex.storage.postgres import Connection, DatabaseUnavailableError, Postgres, first_line
from ibex.storage.redis import Redis, connect, connect_single, organization_key

__all__ = [
    "Connection",
    "DatabaseUnavailableError",
    "Postgres",
    "Redis",
    "connect",
    "connect_single",
    "first_line",
    "organization_key",
]
