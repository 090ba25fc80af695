"""Redis away: everybody goes on, limits are conservative, and keys that cannot be honoured are named."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import psycopg
import pytest
import pytest_asyncio

from tests.faults.calls import all_stored_once, chat, code_of, is_admitted, ready
from tests.faults.conftest import DEADLINES, Fault
from tests.faults.waiting import until
from tests.fixtures import Database
from tests.operator import Operator
from tests.providers.stub import StubProvider
from tests.service import Service

FAULTS = pytest.mark.parametrize(
    "happen", [Fault.refuse, Fault.hang, Fault.die], ids=["refuses", "hangs", "dies"]
)

Happen = Callable[[Fault], Awaitable[None]]


@pytest_asyncio.fixture
async def service(
    database: Database, operator: Operator, stub_provider: StubProvider
) -> AsyncIterator[Service]:
    """A service with limits that a test can reach."""
    limits = {"token_rpm": 8, "agent_rpm": 100, "organization_rpm": 100}
    async with Service.start(
        database.service_dsn, database.redis_url, operator, stub_provider, limits=limits, **DEADLINES
    ) as running:
        yield running


@FAULTS
async def test_calls_go_on_under_limits_that_are_counted_here(
    service: Service, database: Database, redis_fault: Fault, happen: Happen
) -> None:
    await happen(redis_fault)
    answers = [await chat(service) for _ in range(10)]
    assert [answer.status_code for answer in answers] == [200] * 8 + [429] * 2
    assert code_of(answers[-1]) == "RATE_LIMITED"
    assert service.instruments.judged_locally.total() >= 10

    def audited() -> list[str]:
        with psycopg.connect(database.superuser_dsn) as connection:
            rows = connection.execute(
                "SELECT action FROM ibex.audit_events WHERE action LIKE 'limits.%' ORDER BY number"
            ).fetchall()
        return [str(action) for (action,) in rows]

    await until(lambda: audited() == ["limits.fallback"])
    await redis_fault.heal()

    async def is_counted_in_redis() -> bool:
        before = service.instruments.judged_locally.total()
        await chat(service)
        return service.instruments.judged_locally.total() == before

    await until(is_counted_in_redis, seconds=15)
    await until(lambda: audited() == ["limits.fallback", "limits.restore"])


@FAULTS
async def test_an_outage_costs_a_call_little_time(
    service: Service, redis_fault: Fault, happen: Happen
) -> None:
    assert (await chat(service)).status_code == 200
    await happen(redis_fault)
    for _ in range(4):
        started = time.monotonic()
        assert (await chat(service)).status_code == 200
        assert time.monotonic() - started < 1.0


@FAULTS
async def test_an_idempotency_key_is_not_honoured_and_the_answer_says_so(
    service: Service, redis_fault: Fault, happen: Happen
) -> None:
    assert (await chat(service)).status_code == 200
    await happen(redis_fault)
    answer = await chat(service, **{"Idempotency-Key": "once"})
    assert answer.status_code == 200
    assert answer.headers["x-ibex-idempotency"] == "unavailable"
    await redis_fault.heal()

    async def is_honoured() -> bool:
        answer = await chat(service, **{"Idempotency-Key": "again"})
        return answer.headers.get("x-ibex-idempotency") == "replayed"

    await until(is_honoured, seconds=15)


@FAULTS
async def test_a_revocation_is_seen_within_a_second_all_the_same(
    service: Service, operator: Operator, redis_fault: Fault, happen: Happen
) -> None:
    token = await operator.token(service.org_id)
    assert (await chat(service, token)).status_code == 200
    await happen(redis_fault)
    # Whoever revokes it cannot announce it either, and finds that out when a Redis that hangs is given up.
    revoking = asyncio.create_task(operator.revoke(service.org_id, token))

    async def is_refused() -> bool:
        return (await chat(service, token)).status_code == 401

    assert await until(is_refused, seconds=5) < 1.5
    await revoking


@FAULTS
async def test_ready_says_so_and_stays_ready(service: Service, redis_fault: Fault, happen: Happen) -> None:
    await happen(redis_fault)
    started = time.monotonic()
    status, states = await ready(service)
    assert time.monotonic() - started < 3.0
    assert status == 200
    assert states["redis"]["ok"] is False
    assert states["postgres"]["ok"] is True
    await redis_fault.heal()

    async def is_back() -> bool:
        return bool((await ready(service))[1]["redis"]["ok"])

    await until(is_back, seconds=15)


@FAULTS
async def test_turns_wait_and_are_written_once_when_it_is_back(
    service: Service, database: Database, redis_fault: Fault, happen: Happen
) -> None:
    await happen(redis_fault)
    request_ids = []
    for _ in range(3):
        answer = await chat(service, **{"X-IBEX-Session-ID": "without-redis"})
        request_ids.append(str(answer.headers["x-request-id"]))
    await redis_fault.heal()
    await all_stored_once(database, "without-redis", request_ids)


async def test_unknown_callers_are_still_let_in(
    service: Service, operator: Operator, redis_fault: Fault
) -> None:
    unknown = await operator.token(service.org_id)
    await redis_fault.refuse()
    assert await is_admitted(service, unknown)


@FAULTS
async def test_a_service_stops_in_time(service: Service, redis_fault: Fault, happen: Happen) -> None:
    await happen(redis_fault)
    assert (await chat(service)).status_code == 200
    started = time.monotonic()
    service.server.should_exit = True
    await until(lambda: service.instruments.processes.total() == 0, seconds=20)
    assert time.monotonic() - started < 12
