"""What surrounds an answer: its id, its count, its line in the log, and the limits of a call."""

import asyncio
import gzip
import logging
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from io import BytesIO, TextIOWrapper
from typing import Any
from uuid import UUID

import grpc
import orjson
import pytest
from grpc import StatusCode

from ibex.auth.rpc.call import Call
from ibex.auth.rpc.endpoint import CallRecord, Endpoint
from ibex.auth.v1 import auth_pb2
from ibex.telemetry import AccessLog, Instruments
from ibex.telemetry.logs import JsonFormatter
from tests.auth.rpc.calling import Caller, Refusal, calling, service_token
from tests.faults.waiting import until
from tests.fixtures import Database
from tests.operator import Operator
from tests.service import Service

SERVICE = "ibex.auth.v1.AuthService"
VALIDATE = f"/{SERVICE}/ValidateToken"

Answer = Callable[[Call, auth_pb2.ValidateTokenRequest], Awaitable[auth_pb2.ValidateTokenResponse]]


async def failure(call: Any) -> Refusal:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await call
    return Refusal.of(raised.value)


async def test_every_answer_has_a_request_id_of_its_own(caller: Caller, service: Service) -> None:
    ids = set()
    for text in (service.token, service.token, "no token"):
        call = caller.stub.ValidateToken(
            auth_pb2.ValidateTokenRequest(access_token=text), metadata=caller.metadata, timeout=10
        )
        ids.add(UUID(dict(await call.trailing_metadata())["x-request-id"]))
        await call.code()

    assert len(ids) == 3
    assert {request_id.version for request_id in ids} == {7}


async def test_calls_are_counted_by_method_and_status(caller: Caller, service: Service) -> None:
    counted = service.instruments.rpc_calls
    assert counted.total("ValidateToken", "OK") == 0

    await caller.validate_token(service.token)
    await caller.validate_agent(service.token)
    await caller.refusal("no token")
    await caller.refusal("")
    await caller.as_holder_of(service.token).refusal(service.token)
    await failure(caller.method("/ibex.auth.v1.AuthService/Nothing")(b""))

    assert counted.total("ValidateToken", "OK") == 1
    assert counted.total("ValidateAgent", "OK") == 1
    assert counted.total("ValidateToken", "UNAUTHENTICATED") == 1
    assert counted.total("ValidateToken", "INVALID_ARGUMENT") == 1
    assert counted.total("ValidateToken", "PERMISSION_DENIED") == 1
    assert counted.total("other", "UNIMPLEMENTED") == 1
    assert service.instruments.auth_refusals.total() == 1
    assert b'ibex_grpc_call_seconds_count{method="ValidateToken"} 4.0' in service.instruments.metrics.render()


async def test_the_access_log_says_who_asked_about_which_token_and_what_came_of_it(
    database: Database, operator: Operator, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = BytesIO()
    monkeypatch.setattr(sys, "stdout", TextIOWrapper(written))
    async with Service.start(
        database.service_dsn,
        database.redis_url,
        operator,
        None,
        grpc_port=port,
        access_log=True,
    ) as service:
        asks = await service_token(operator, service.org_id)
        async with calling(port, asks) as caller:
            answer = await caller.validate_token(service.token)
            traceparent = f"00-{'ab' * 16}-{'cd' * 8}-01"
            await failure(caller.method(VALIDATE)(b"", metadata=(("traceparent", traceparent),)))
    log = written.getvalue()
    first, second = (orjson.loads(line) for line in log.splitlines() if b'"grpc"' in line)

    assert (first["operation"], first["method"], first["grpc_status"]) == ("grpc", "ValidateToken", "OK")
    assert first["org_id"] == str(service.org_id)
    assert first["asked_token_id"] == answer.token_id
    assert first["token_id"] == asks.split("_")[2]
    assert first["client"] == "127.0.0.1"
    assert (second["grpc_status"], second["error_code"]) == ("UNAUTHENTICATED", "MISSING_TOKEN")
    assert second["trace_id"] == "ab" * 16
    for secret in (asks, service.token):
        assert secret.rpartition("_")[2].encode() not in log


@pytest.mark.parametrize("message", [b"\xff", b"\x0a\x02\xff\xfe", b"\x0a\x7f"])
async def test_what_is_no_message_is_an_invalid_argument(caller: Caller, message: bytes) -> None:
    refused = await failure(caller.method(VALIDATE)(message, metadata=caller.metadata, timeout=10))

    assert refused.reason == ("INVALID_ARGUMENT", "VALIDATION_ERROR", "request")
    assert refused.message == "The message is not a ibex.auth.v1.ValidateTokenRequest."


async def test_fields_that_are_not_known_are_no_fault(caller: Caller, service: Service) -> None:
    """A newer client may send more."""
    message = auth_pb2.ValidateTokenRequest(access_token=service.token).SerializeToString() + b"\xfa\x01\x01x"

    answer = await caller.method(VALIDATE)(message, metadata=caller.metadata, timeout=10)

    assert auth_pb2.ValidateTokenResponse.FromString(answer).org_id == str(service.org_id)


async def test_a_message_that_is_too_large_is_refused(caller: Caller, service: Service) -> None:
    refused = await caller.refusal("x" * (16 << 10))

    assert refused is not None
    assert refused.status == "RESOURCE_EXHAUSTED"
    assert await caller.refusal(service.token) is None


async def test_a_message_that_grows_when_it_is_unpacked_is_refused(caller: Caller, service: Service) -> None:
    call = caller.method(VALIDATE)(
        b"\0" * (64 << 20), metadata=caller.metadata, timeout=10, compression=grpc.Compression.Gzip
    )
    assert len(gzip.compress(b"\0" * (64 << 20))) < 1 << 17

    assert (await failure(call)).status in {"UNIMPLEMENTED", "RESOURCE_EXHAUSTED"}
    assert await caller.refusal(service.token) is None


async def test_many_may_ask_at_once(caller: Caller, service: Service, operator: Operator) -> None:
    tokens = [await operator.token(service.org_id) for _ in range(10)]

    answers = await asyncio.gather(*(caller.validate_token(tokens[n % 10]) for n in range(300)))

    assert [answer.token_id for answer in answers] == [tokens[n % 10].split("_")[2] for n in range(300)]


async def test_what_nobody_foresaw_is_internal_and_logged_once_without_a_secret(
    port: int, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(call: Call, request: auth_pb2.ValidateTokenRequest) -> auth_pb2.ValidateTokenResponse:
        raise RuntimeError(request.access_token)

    async with answering(port, fail) as (caller, instruments):
        refused = await caller.refusal("a token")

    assert refused is not None
    assert refused.reason == ("INTERNAL", "INTERNAL_ERROR", "request")
    assert "a token" not in refused.message
    assert instruments.rpc_calls.total("ValidateToken", "INTERNAL") == 1
    (record,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert "a token" not in JsonFormatter().format(record)


async def test_a_call_that_takes_too_long_is_unavailable(port: int) -> None:
    async with answering(port, never, within=0.05) as (caller, instruments):
        refused = await caller.refusal("a token")

    assert refused is not None
    assert refused.reason == ("UNAVAILABLE", "AUTH_UNAVAILABLE", "request")
    assert instruments.rpc_calls.total("ValidateToken", "UNAVAILABLE") == 1


async def test_a_client_that_waits_no_longer_is_told_so_and_counted(port: int) -> None:
    request = auth_pb2.ValidateTokenRequest(access_token="a token")
    async with answering(port, never) as (caller, instruments):
        assert await caller.stub.ValidateToken(request, timeout=0.1).code() is StatusCode.DEADLINE_EXCEEDED
        await until(lambda: instruments.rpc_calls.total("ValidateToken", "DEADLINE_EXCEEDED") == 1)


async def test_a_client_that_leaves_is_counted(port: int) -> None:
    has_begun = asyncio.Event()

    async def begin(call: Call, request: auth_pb2.ValidateTokenRequest) -> auth_pb2.ValidateTokenResponse:
        has_begun.set()
        return await never(call, request)

    async with answering(port, begin) as (caller, instruments):
        call = caller.stub.ValidateToken(auth_pb2.ValidateTokenRequest(access_token="a token"))
        await has_begun.wait()
        call.cancel()
        await until(lambda: instruments.rpc_calls.total("ValidateToken", "CANCELLED") == 1)


async def never(call: Call, request: auth_pb2.ValidateTokenRequest) -> auth_pb2.ValidateTokenResponse:
    """An answer that does not come."""
    await asyncio.Event().wait()
    raise AssertionError


@asynccontextmanager
async def answering(
    port: int, answer: Answer, *, within: float = 10.0
) -> AsyncIterator[tuple[Caller, Instruments]]:
    """ValidateToken with an answer of the test's own, and somebody who calls it."""

    async def let_in(call: Call) -> None:
        return

    instruments = Instruments([])
    record = CallRecord(instruments, AccessLog(enabled=False))
    endpoint = Endpoint(
        "ValidateToken", auth_pb2.ValidateTokenRequest, let_in, answer, record, timeout=within
    )
    handlers = grpc.method_handlers_generic_handler(SERVICE, {"ValidateToken": endpoint.handler()})
    server = grpc.aio.server(handlers=[handlers])
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    try:
        async with calling(port, None) as caller:
            yield caller, instruments
    finally:
        await server.stop(None)
