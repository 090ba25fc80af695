"""Where data is kept: Postgres, Redis and ClickHouse."""

from ibex.storage.clickhouse import ClickHouse, ClickHouseError
from ibex.storage.postgres import Connection, DatabaseUnavailableError, Postgres, first_line
from ibex.storage.redis import Redis, connect, connect_single, organization_key
from ibex.storage.stores import Stores

__all__ = [
    "ClickHouse",
    "ClickHouseError",
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
