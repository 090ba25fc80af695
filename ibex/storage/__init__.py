"""Where data is kept: Postgres and Redis."""

from ibex.storage.postgres import Connection, DatabaseUnavailableError, Postgres, first_line
from ibex.storage.redis import Redis, connect, connect_single, organization_key
from ibex.storage.stores import Stores

__all__ = [
    "Connection",
    "DatabaseUnavailableError",
    "Postgres",
    "Redis",
    "Stores",
    "connect",
    "connect_single",
    "first_line",
    "organization_key",
]
