"""Dependencies that answer, but too slowly to be waited for."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import pytest_asyncio
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tests.faults.calls import all_stored_once, chat, code_of, is_admitted, known
from tests.faults.conftest import DEADLINES
from tests.faults.line import Line
from tests.faults.waiting import until
from tests.fixtures import Database
from tests.operator import Operator
from tests.providers.stub import StubProvider
from tests.service import Service

_SOCKET = ".s.PGSQL.5432"
SLOW = 0.4  # seconds each way: beyond every one of the deadlines


@dataclass(frozen=True, slots=True)
class Lines:
    """The lines between a service and its dependencies."""

    service: Service
    postgres: Line
    redis: Line


@pytest_asyncio.fixture
async def lines(
    database: Database,
    operator: Operator,
    stub_provider: StubProvider,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Lines]:
    async with _lines(database, operator, stub_provider, tmp_path_factory.mktemp("l")) as running:
        await known(running.service, operator)
        yield running


@asynccontextmanager
async def _lines(
    database: Database, operator: Operator, stub: StubProvider, folder: Path
) -> AsyncIterator[Lines]:
    dsn, url = database.service_dsn, urlsplit(database.redis_url)
    valkey = folder / "valkey.sock"
    async with (
        Line.to(Path(str(conninfo_to_dict(dsn)["host"])) / _SOCKET, folder / _SOCKET) as postgres,
        Line.to(Path(unquote(url.path)), valkey) as redis,
        Service.start(
            make_conninfo(dsn, host=str(folder)),
            f"unix://{url.netloc.rpartition('@')[0]}@{valkey}?{url.query}",
            operator,
            stub,
            **DEADLINES,
        ) as service,
    ):
        yield Lines(service, postgres, redis)
        postgres.delay = redis.delay = 0.0


async def test_a_slow_postgres_refuses_whom_it_cannot_look_up_in_time(
    lines: Lines, operator: Operator
) -> None:
    unknown = await operator.token(lines.service.org_id)
    lines.postgres.delay = SLOW
    started = time.monotonic()
    refused = await chat(lines.service, unknown)
    assert time.monotonic() - started < 2 * SLOW
    assert (refused.status_code, code_of(refused)) == (503, "AUTH_UNAVAILABLE")
    # The look-up that nobody waits for any more still fills the cache.
    await until(lambda: is_admitted(lines.service, unknown), seconds=3)


async def test_a_slow_postgres_keeps_no_answer_waiting_for_its_record(
    lines: Lines, database: Database
) -> None:
    lines.postgres.delay = SLOW
    started = time.monotonic()
    answer = await chat(lines.service, **{"X-IBEX-Session-ID": "slowly"})
    assert answer.status_code == 200
    assert time.monotonic() - started < SLOW
    await all_stored_once(database, "slowly", [answer.headers["x-request-id"]])


async def test_a_slow_redis_costs_a_call_its_deadline_and_no_more(lines: Lines) -> None:
    lines.redis.delay = SLOW
    for _ in range(5):
        started = time.monotonic()
        assert (await chat(lines.service)).status_code == 200
        assert time.monotonic() - started < 2 * SLOW
    await until(lambda: lines.service.instruments.judged_locally.total() >= 3)
