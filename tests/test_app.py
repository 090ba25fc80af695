"""How the parts of one process are put together, and taken apart."""

import asyncio
from pathlib import Path

import pytest

from ibex.app import Connections, build
from ibex.auth import RateLimiter
from ibex.settings import load
from ibex.telemetry import Instruments
from ibex.traces import TraceLog
from tests.fixtures import Database
from tests.operator import KEYS, PEPPER
from tests.vocabulary import vocabulary


@pytest.mark.parametrize("connections", [1, 10])
async def test_a_part_that_fails_at_the_stop_does_not_keep_the_rest_from_stopping(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, connections: int
) -> None:
    closed: list[str] = []
    close = TraceLog.close

    async def fail(limiter: RateLimiter) -> None:
        closed.append("limiter")
        raise KeyError("at the stop")

    async def note(traces: TraceLog, *, within: float) -> None:
        closed.append("traces")
        await close(traces, within=within)

    monkeypatch.setattr(RateLimiter, "stop", fail)
    monkeypatch.setattr(TraceLog, "close", note)
    settings = load({}, overrides={"postgres_connections": connections, "access_log": False})
    edge = build(
        settings,
        Connections(database.service_dsn, database.redis_url, PEPPER, KEYS),
        Instruments(settings.providers),
        vocabulary(),
    )
    before = asyncio.all_tasks()
    await edge._startup()
    with pytest.raises(KeyError):
        await edge._shutdown()
    assert closed == ["traces", "limiter"]
    left = {task.get_name() for task in asyncio.all_tasks() - before}
    assert {name for name in left if not name.startswith(("limiter-", "limits-"))} == set()
