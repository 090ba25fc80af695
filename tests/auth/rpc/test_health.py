"""The standard health service."""

import asyncio

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.auth.rpc.calling import Caller
from tests.faults.waiting import until
from tests.service import Service

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
NAMES = ("", "ibex.auth.v1.AuthService")


@pytest.mark.parametrize("name", NAMES)
async def test_it_serves_and_a_probe_needs_no_token(caller: Caller, name: str) -> None:
    stub = health_pb2_grpc.HealthStub(caller.channel)

    answer = await stub.Check(health_pb2.HealthCheckRequest(service=name), timeout=10)

    assert answer.status == SERVING


async def test_a_service_that_is_not_there_is_not_found(caller: Caller) -> None:
    stub = health_pb2_grpc.HealthStub(caller.channel)

    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await stub.Check(health_pb2.HealthCheckRequest(service="nobody"), timeout=10)

    assert raised.value.code() is grpc.StatusCode.NOT_FOUND


async def test_a_watcher_hears_of_a_stop_and_does_not_hold_it_up(caller: Caller, service: Service) -> None:
    stub = health_pb2_grpc.HealthStub(caller.channel)
    watch = stub.Watch(health_pb2.HealthCheckRequest())
    assert (await watch.read()).status == SERVING

    service.server.should_exit = True

    assert (await asyncio.wait_for(watch.read(), 10)).status == NOT_SERVING
    await until(lambda: service.instruments.processes.total() == 0)
    assert await watch.code() is not grpc.StatusCode.OK


async def test_strangers_cannot_open_streams_without_end(caller: Caller, service: Service) -> None:
    stub = health_pb2_grpc.HealthStub(caller.channel)
    watches = [stub.Watch(health_pb2.HealthCheckRequest()) for _ in range(100)]
    await asyncio.gather(*(watch.read() for watch in watches))

    one_more = stub.Watch(health_pb2.HealthCheckRequest())

    assert await one_more.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert await caller.refusal(service.token) is None
    assert (await stub.Check(health_pb2.HealthCheckRequest(), timeout=10)).status == SERVING
    watches[0].cancel()

    async def there_is_room() -> bool:
        watch = stub.Watch(health_pb2.HealthCheckRequest())
        answer = await watch.read() if await _begins(watch) else None
        watch.cancel()
        return answer is not None

    await until(there_is_room)


async def _begins(watch: "grpc.aio.UnaryStreamCall[object, object]") -> bool:
    await watch.wait_for_connection()
    return not watch.done()
