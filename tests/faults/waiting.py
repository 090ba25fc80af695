"""Waiting for what is to happen, with a deadline instead of a sleep."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable

import psycopg


async def until(condition: Callable[[], bool | Awaitable[bool]], *, seconds: float = 10.0) -> float:
    """Return as soon as `condition` holds, with the seconds it took; fail when it does not in time."""
    started = time.monotonic()
    while True:
        holds = condition()
        if inspect.isawaitable(holds):
            holds = await holds
        if holds:
            return time.monotonic() - started
        assert time.monotonic() - started < seconds, f"not within {seconds} s"
        await asyncio.sleep(0.005)


def a_statement_waits(dsn: str) -> bool:
    """Whether one in this database waits for a lock that another transaction has."""
    with psycopg.connect(dsn) as connection:
        waiting = connection.execute(
            "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return waiting.rowcount > 0
