"""The parts of `traces`: where they are kept, and how they are read."""

from collections.abc import Sequence

from fastapi import APIRouter

from ibex.app.auth import AuthParts
from ibex.settings import Settings
from ibex.storage import ClickHouse, Postgres
from ibex.telemetry.endpoints import Dependency
from ibex.traces.reading import TraceReading, endpoints
from ibex.traces.store import ClickHouseTraces, PostgresTraces, TraceStore
from ibex.traces.usage import UsageReading
from ibex.traces.usage import endpoints as usage_endpoints


def trace_store(settings: Settings, postgres: Postgres) -> TraceStore:
    """ClickHouse when there is one, else the database of everything else. To be closed."""
    if settings.clickhouse_url is None:
        return PostgresTraces(postgres)
    return ClickHouseTraces(
        ClickHouse(settings.clickhouse_url.get_secret_value(), timeout=settings.clickhouse_timeout_seconds)
    )


def trace_routers(store: TraceStore, postgres: Postgres, auth: AuthParts) -> Sequence[APIRouter]:
    agents = auth.administration.agents
    return [
        endpoints.router(TraceReading(store, postgres), auth.access, agents),
        usage_endpoints.router(UsageReading(postgres), auth.access, agents),
    ]


def trace_dependencies(settings: Settings, store: TraceStore) -> list[Dependency]:
    """What `/ready` tells of; Postgres is told of anyway."""

    async def check() -> str:
        await store.ping()
        return "connected"

    if settings.clickhouse_url is None:
        return []
    return [Dependency("clickhouse", check, is_required=False, when_away="traces wait and cannot be read")]
