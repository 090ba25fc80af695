"""The SQL of traces."""

from ibex.traces.store.repository.clickhouse import ClickHouseTraces
from ibex.traces.store.repository.postgres import PostgresTraces

__all__ = ["ClickHouseTraces", "PostgresTraces"]
