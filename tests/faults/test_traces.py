"""Traces on their way while something dies: each that was taken is there once, and none is stuck."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import pytest
import pytest_asyncio
from redis.asyncio import Redis

from ibex.embedded.account import server_account
from ibex.embedded.binaries import valkey_binary
from ibex.storage import connect_single
from tests.faults.calls import all_stored_once, chat, stored_turns
from tests.faults.conftest import DEADLINES, Fault
from tests.faults.waiting import until
from tests.fixtures import Database, Servers
from tests.operator import Operator
from tests.providers.stub import StubProvider
from tests.service import Service, shipping

# So that what a dead one has taken is taken over in the time of a test (seconds).
TAKE_OVER = 0.3


@pytest_asyncio.fixture
async def service(
    database: Database, operator: Operator, stub_provider: StubProvider
) -> AsyncIterator[Service]:
    """Nobody stores what it leaves in the stream, unless a test starts somebody."""
    async with Service.start(
        database.service_dsn, database.redis_url, operator, stub_provider, ships=False, **DEADLINES
    ) as running:
        yield running


async def calls(service: Service, session: str, number: int) -> list[str]:
    """The ids of so many calls that were answered."""
    told: list[str] = []

    async def is_answered() -> bool:
        answer = await chat(service, **{"X-IBEX-Session-ID": session})
        if answer.status_code == 200:
            told.append(answer.headers["x-request-id"])
        return answer.status_code == 200

    for _ in range(number):
        await until(is_answered, seconds=15)
    return told


def is_counted_once(database: Database) -> bool:
    """Whether the counters of the days, and the traces, are as many as the turns."""
    with psycopg.connect(database.superuser_dsn) as connection:
        row = connection.execute(
            "SELECT (SELECT count(*) FROM ibex.session_turns), (SELECT count(*) FROM ibex.traces),"
            " (SELECT sum(calls)::bigint FROM ibex.usage_days)"
        ).fetchone()
    assert row is not None
    return bool(row[0] == row[1] == row[2])


async def until_empty(redis: Redis) -> None:
    async def is_empty() -> bool:
        keys: list[bytes] = await redis.keys("ibex:traces:waiting")
        return not keys

    await until(is_empty, seconds=20)
    assert await redis.xlen("ibex:traces") == 0


_SHIP = """
import asyncio, sys
from tests.service import shipping

async def run():
    async with shipping(sys.argv[1], sys.argv[2], take_over=float(sys.argv[3])):
        await asyncio.Event().wait()

asyncio.run(run())
"""


def ship(database: Database) -> subprocess.Popen[bytes]:
    """A process that stores what is in the stream."""
    where = database.service_dsn, database.redis_url, str(TAKE_OVER)
    return subprocess.Popen([sys.executable, "-c", _SHIP, *where])


async def test_a_shipper_is_killed_and_each_trace_is_there_once(
    service: Service, database: Database, operator: Operator
) -> None:
    """At any moment: before it has read, with a transaction open, between the database and the stream."""
    process = ship(database)
    told = await calls(service, "killed", 5)
    await until(lambda: len(stored_turns(database, "killed")) > 0, seconds=20)
    told += await calls(service, "killed", 10)
    process.kill()
    process.wait()
    told += await calls(service, "killed", 3)
    async with shipping(database.service_dsn, database.redis_url, take_over=TAKE_OVER):
        await all_stored_once(database, "killed", told)
        await until_empty(operator.redis)
    assert is_counted_once(database)


@pytest.mark.parametrize("which", ["postgres", "redis"])
async def test_a_server_dies_and_comes_back_while_calls_go_on(
    service: Service,
    database: Database,
    operator: Operator,
    postgres_fault: Fault,
    redis_fault: Fault,
    which: str,
) -> None:
    fault = postgres_fault if which == "postgres" else redis_fault
    async with shipping(database.service_dsn, database.redis_url, take_over=TAKE_OVER):
        told = await calls(service, "through-it", 5)
        calling = asyncio.create_task(calls(service, "through-it", 20))
        await fault.die()
        told += await calls(service, "through-it", 5)
        await fault.heal()
        told += await calling
        told += await calls(service, "through-it", 2)
        await all_stored_once(database, "through-it", told)
        await until_empty(operator.redis)
    assert is_counted_once(database)
    assert service.instruments.rows_dropped.total("trace") == 0


@pytest.fixture
def small_redis(servers: Servers) -> Iterator[str]:
    """The address of a server whose configuration may be changed."""
    with TemporaryDirectory() as directory:
        path = f"{directory}/s"
        binary = valkey_binary(server_account(), report=lambda sentence: None)
        command = [str(binary), "--port", "0", "--unixsocket", path, "--save", ""]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=directory)
        yield f"unix://{path}"
        process.kill()
        process.wait()


async def test_redis_is_full_and_agents_do_not_notice(
    database: Database, operator: Operator, stub_provider: StubProvider, small_redis: str
) -> None:
    """What the process has room for is kept until Redis has room again; what it has not is counted."""
    room, over = 8, 5
    redis = connect_single(small_redis, timeout=5.0)
    await until(Path(small_redis.removeprefix("unix://")).exists)
    async with Service.start(
        database.service_dsn, small_redis, operator, stub_provider, ships=False, turn_buffer=room, **DEADLINES
    ) as service:
        instruments = service.instruments
        await redis.config_set("maxmemory", "1")
        told = await calls(service, "full", room)
        await until(lambda: instruments.rows_waiting.total("trace") == room)
        lost = await calls(service, "full", over)
        await until(lambda: instruments.rows_dropped.total("trace") == over)
        await redis.config_set("maxmemory", "0")
        async with shipping(database.service_dsn, small_redis):
            await all_stored_once(database, "full", told)
            await until_empty(redis)
    assert not set(lost) & set(stored_turns(database, "full"))
    await redis.aclose()
