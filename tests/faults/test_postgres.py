"""Postgres away: known callers go on, unknown ones are refused, and no turn is lost or doubled."""

import time
from collections.abc import Awaitable, Callable

import pytest

from tests.faults.calls import all_stored_once, chat, code_of, connecting, is_admitted, ready
from tests.faults.conftest import Fault
from tests.faults.waiting import until
from tests.fixtures import Database
from tests.operator import Operator
from tests.service import Service

FAULTS = pytest.mark.parametrize(
    "happen", [Fault.refuse, Fault.hang, Fault.die], ids=["refuses", "hangs", "dies"]
)

Happen = Callable[[Fault], Awaitable[None]]


@FAULTS
async def test_a_known_caller_goes_on_and_an_unknown_one_is_refused(
    service: Service, operator: Operator, postgres_fault: Fault, happen: Happen
) -> None:
    unknown = await operator.token(service.org_id)
    assert (await chat(service)).status_code == 200
    await happen(postgres_fault)
    await until(lambda: is_admitted(service, service.token))
    started = time.monotonic()
    refused = await chat(service, unknown)
    assert time.monotonic() - started < 1.0
    assert (refused.status_code, code_of(refused)) == (503, "AUTH_UNAVAILABLE")
    assert refused.headers["retry-after"] == "1"
    await postgres_fault.heal()
    await until(lambda: is_admitted(service, unknown), seconds=15)


@FAULTS
async def test_turns_are_kept_and_written_once_when_it_is_back(
    service: Service, database: Database, postgres_fault: Fault, happen: Happen
) -> None:
    request_ids: list[str] = []

    async def is_answered() -> bool:
        answer = await chat(service, **{"X-IBEX-Session-ID": "through-the-fault"})
        if answer.status_code == 200:
            request_ids.append(answer.headers["x-request-id"])
        return answer.status_code == 200

    async def turns(number: int) -> None:
        for _ in range(number):
            await until(is_answered, seconds=15)

    await turns(3)
    await happen(postgres_fault)
    await turns(5)
    await postgres_fault.heal()
    await turns(2)
    await all_stored_once(database, "through-the-fault", request_ids)
    assert service.instruments.rows_dropped.total("trace") == 0


@FAULTS
async def test_ready_says_so_in_time_and_health_does_not_mind(
    service: Service, postgres_fault: Fault, happen: Happen
) -> None:
    await happen(postgres_fault)
    started = time.monotonic()
    status, states = await ready(service)
    assert time.monotonic() - started < 3.0
    assert status == 503
    assert states["postgres"]["ok"] is False
    assert states["redis"]["ok"] is True
    async with service.http() as client:
        assert (await client.get("/health")).status_code == 200
    await postgres_fault.heal()

    async def is_ready() -> bool:
        return (await ready(service))[0] == 200

    await until(is_ready, seconds=15)


async def test_nothing_stale_is_served_once_the_cache_may_not_be_trusted(
    service: Service, postgres_fault: Fault, redis_fault: Fault
) -> None:
    """Without Redis no change can arrive, without Postgres none can be looked up."""
    assert (await chat(service)).status_code == 200
    await postgres_fault.refuse()
    await redis_fault.refuse()

    async def is_refused() -> bool:
        answer = await chat(service)
        return answer.status_code == 503 and code_of(answer) == "AUTH_UNAVAILABLE"

    assert await until(is_refused, seconds=3) < 2.0
    await redis_fault.heal()
    await postgres_fault.heal()
    await until(lambda: is_admitted(service, service.token), seconds=15)


async def test_a_service_stops_in_time_although_postgres_hangs(
    service: Service, database: Database, postgres_fault: Fault
) -> None:
    assert (await chat(service)).status_code == 200
    await postgres_fault.hang()
    await until(lambda: is_admitted(service, service.token))
    started = time.monotonic()
    service.server.should_exit = True
    await until(lambda: service.instruments.processes.total() == 0, seconds=15)
    assert time.monotonic() - started < 12
    await postgres_fault.heal()
    # What was still connecting when the pool was closed finds that out on this loop or never.
    await until(lambda: connecting(database) == 0)
