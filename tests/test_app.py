"""How the parts of one process are put together, and taken apart."""

import asyncio
from pathlib import Path

import pytest

from ibex.app import Connections, _pools, build
from ibex.auth import RateLimiter
from ibex.proxy import TurnLog
from ibex.settings import load
from ibex.telemetry import Instruments
from tests.fixtures import Database
from tests.operator import KEYS, PEPPER


@pytest.mark.parametrize(("connections", "shares"), [(2, (1, 1)), (3, (1, 2)), (4, (2, 2)), (10, (3, 7))])
def test_the_connections_are_shared_out_between_writing_and_looking_up(
    connections: int, shares: tuple[int, int]
) -> None:
    writing, looking_up = _pools("", connections)
    assert (writing._pool.max_size, looking_up._pool.max_size) == shares


def test_one_connection_serves_both() -> None:
    writing, looking_up = _pools("", 1)
    assert writing is looking_up
    assert writing._pool.max_size == 1


@pytest.mark.parametrize("connections", [1, 10])
async def test_a_part_that_fails_at_the_stop_does_not_keep_the_rest_from_stopping(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, connections: int
) -> None:
    closed: list[str] = []
    close = TurnLog.close

    async def fail(limiter: RateLimiter) -> None:
        closed.append("limiter")
        raise KeyError("at the stop")

    async def note(turns: TurnLog, *, within: float) -> None:
        closed.append("turns")
        await close(turns, within=within)

    monkeypatch.setattr(RateLimiter, "stop", fail)
    monkeypatch.setattr(TurnLog, "close", note)
    settings = load({}, overrides={"postgres_connections": connections, "access_log": False})
    edge = build(
        settings,
        Connections(database.service_dsn, database.redis_url, PEPPER, KEYS),
        Instruments(settings.providers),
    )
    before = asyncio.all_tasks()
    await edge._startup()
    with pytest.raises(KeyError):
        await edge._shutdown()
    assert closed == ["turns", "limiter"]
    left = {task.get_name() for task in asyncio.all_tasks() - before}
    assert {name for name in left if not name.startswith(("limiter-", "limits-"))} == set()
