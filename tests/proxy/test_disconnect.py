"""A client that goes away takes the call to the provider with it, and leaves a record of it."""

import asyncio
import time

import pytest

from ibex.serving.protocol import BoundedHttpProtocol
from tests.faults.waiting import until
from tests.fixtures import Database
from tests.operator import Operator
from tests.providers import behaviours, payloads
from tests.providers.behaviours import HALF
from tests.providers.exchange import Exchange
from tests.providers.stub import StubProvider
from tests.proxy.asking import assert_still_works, chat_bytes
from tests.proxy.conftest import UNLIMITED
from tests.proxy.records import all_turns, turn, turns
from tests.proxy.wire import Wire, connect, post
from tests.service import Service

SESSION = "X-IBEX-Session-ID: left"


async def assert_cancelled(exchange: Exchange, left_at: float) -> None:
    """The provider sees the connection go within a second of the client's leaving."""
    async with asyncio.timeout(5):
        await exchange.aborted.wait()
    assert exchange.aborted_at is not None
    assert exchange.aborted_at - left_at < 1.0


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("padding", [0, 300_000])
async def test_leaving_before_the_answer_ends_the_call(
    service: Service, stub_provider: StubProvider, database: Database, stream: bool, padding: int
) -> None:
    body = chat_bytes("slow-headers", stream=stream, padding="x" * padding)
    async with connect(service) as wire:
        await wire.send(post(service, body, SESSION))
        exchange = await stub_provider.exchange()
        left_at = time.monotonic()
        wire.close()
        await assert_cancelled(exchange, left_at)
    row = await turn(database, "left")
    assert (row["status"], row["outcome"], row["attempts"]) == (499, "client_gone", 1)
    assert (row["usage_source"], row["output_tokens"], row["response_bytes"]) == ("none", None, 0)
    assert row["provider"] == "openai"
    await assert_still_works(service)


@pytest.mark.parametrize("padding", [0, 300_000])
async def test_leaving_in_the_middle_of_a_stream_keeps_what_was_said_so_far(
    service: Service, stub_provider: StubProvider, database: Database, padding: int
) -> None:
    async with connect(service) as wire:
        body = chat_bytes("hang-mid-stream", stream=True, padding="x" * padding)
        await wire.send(post(service, body, SESSION))
        await wire.head()
        received = b""
        while received.count(b"data: ") < HALF:
            received += await wire.chunk()
        left_at = time.monotonic()
        wire.reset()
        await assert_cancelled(await stub_provider.exchange(), left_at)
    row = await turn(database, "left")
    assert (row["status"], row["outcome"], row["streamed"]) == (200, "client_gone", True)
    assert row["response_bytes"] == len(received)
    assert (row["usage_source"], row["output_tokens"]) == ("estimated", HALF - 1)
    assert row["model_served"] == "hang-mid-stream"
    await assert_still_works(service)


async def test_leaving_during_the_backoff_ends_the_retries(
    service: Service, stub_provider: StubProvider, database: Database
) -> None:
    stub_provider.on("busy", behaviours.status(503, retry_after="1.5"))
    async with connect(service) as wire:
        await wire.send(post(service, chat_bytes("busy"), SESSION))
        await (await stub_provider.exchange()).finished.wait()
        wire.close()
        row = await turn(database, "left")
    assert row["outcome"] == "client_gone"
    assert row["latency_ms"] < 1_400
    assert len(stub_provider.exchanges) == 1
    await assert_still_works(service)


async def test_leaving_on_a_connection_that_was_used_before_is_noticed_too(
    service: Service, stub_provider: StubProvider, database: Database
) -> None:
    async with connect(service) as wire:
        for _ in range(3):
            await wire.send(post(service, chat_bytes()))
            assert (await wire.answer()).status == 200
        await wire.send(post(service, chat_bytes("slow-headers"), SESSION))
        exchange = await stub_provider.exchange(3)
        left_at = time.monotonic()
        wire.close()
        await assert_cancelled(exchange, left_at)
    assert (await turn(database, "left"))["outcome"] == "client_gone"


async def test_an_answer_that_was_complete_is_not_a_client_gone(
    service: Service, stub_provider: StubProvider, database: Database
) -> None:
    """The official client hangs up at `[DONE]`, before the end of the HTTP message."""

    async def linger(exchange: Exchange) -> None:
        await exchange.open_stream()
        for event in payloads.stream_events("lingering"):
            await exchange.event(event)
        await exchange.hang()

    stub_provider.on("lingering", linger)
    async with connect(service) as wire:
        await wire.send(post(service, chat_bytes("lingering", stream=True), SESSION))
        await wire.head()
        received = b""
        while b"[DONE]" not in received:
            received += await wire.chunk()
        wire.close()
        row = await turn(database, "left")
    assert (row["outcome"], row["usage_source"], row["finish_reason"]) == ("ok", "provider", "stop")


async def test_many_that_leave_leak_nothing(
    service: Service, stub_provider: StubProvider, database: Database
) -> None:
    async def leave(number: int) -> None:
        model = ("slow-headers", "hang-mid-stream", "endless", "hang-after-headers", "slow")[number % 5]
        async with connect(service) as wire:
            await wire.send(post(service, chat_bytes(model, stream=True)))
            await stub_provider.exchange(number)
            if number % 2:
                wire.reset()
            else:
                wire.close()

    for number in range(50):
        await leave(number)
    await until(lambda: stub_provider.open_connections == 0)
    rows = await turns(database, 50)
    assert {row["outcome"] for row in rows} == {"client_gone"}
    assert await _in_flight(service) == 0
    await assert_still_works(service)


async def test_many_that_leave_at_once_leak_nothing(
    service: Service, stub_provider: StubProvider, database: Database
) -> None:
    wires: list[Wire] = []

    async def ask() -> None:
        async with connect(service) as wire:
            wires.append(wire)
            await wire.send(post(service, chat_bytes("slow-headers")))
            assert await wire.is_closed()

    asking = [asyncio.create_task(ask()) for _ in range(50)]
    await until(lambda: len(stub_provider.exchanges) == 50)
    for task in asking:
        task.cancel()
    await asyncio.gather(*asking, return_exceptions=True)
    await until(lambda: stub_provider.open_connections == 0)
    assert len(await turns(database, 50)) == 50
    await assert_still_works(service)


async def test_a_client_that_leaves_before_its_body_is_complete_leaves_no_turn(
    service: Service, stub_provider: StubProvider, database: Database
) -> None:
    async with connect(service) as wire:
        await wire.send(post(service, chat_bytes(), SESSION)[:-5])
        wire.reset()
    await until(lambda: service.instruments.metrics.render().count(b'status="499"') > 0)
    await assert_still_works(service)
    assert [row["session_id"] == "left" for row in await turns(database, 1)] == [False]
    assert len(await all_turns(database)) == 1


async def test_a_client_that_stops_reading_for_good_is_cut_off(
    database: Database, operator: Operator, stub_provider: StubProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BoundedHttpProtocol, "stall_seconds", 0.5)
    async with (
        Service.start(
            database.service_dsn, database.redis_url, operator, stub_provider, **UNLIMITED
        ) as service,
        connect(service) as wire,
    ):
        await wire.send(post(service, chat_bytes("endless", stream=True), SESSION))
        exchange = await stub_provider.exchange()
        async with asyncio.timeout(10):
            await exchange.aborted.wait()
        row = await turn(database, "left")
        assert row["outcome"] == "client_gone"
        await until(lambda: not service.server.server_state.tasks)
        await assert_still_works(service)


async def _in_flight(service: Service) -> float:
    [line] = [
        line
        for line in service.instruments.metrics.render().decode().splitlines()
        if line.startswith("ibex_requests_in_flight")
    ]
    return float(line.rpartition(" ")[2])
