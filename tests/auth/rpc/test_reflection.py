"""Server reflection, as grpcurl uses it: what there is to call is asked for, and then called."""

from collections.abc import Iterable
from typing import Any

import grpc
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory
from grpc_reflection.v1alpha import reflection_pb2

from tests.auth.rpc.calling import Caller
from tests.service import Service

VERSIONS = pytest.mark.parametrize("version", ["v1", "v1alpha"])
SERVICE = "ibex.auth.v1.AuthService"


async def reflect(caller: Caller, version: str, **asked: Any) -> reflection_pb2.ServerReflectionResponse:
    """One question, without a token."""
    method = caller.channel.stream_stream(
        f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
        request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
    )
    call = method(iter([reflection_pb2.ServerReflectionRequest(**asked)]), timeout=10)
    return [answer async for answer in call][0]  # noqa: RUF015


async def pool_of(caller: Caller, version: str) -> descriptor_pool.DescriptorPool:
    """The descriptors of the service and of all that they depend on."""
    answer = await reflect(caller, version, file_containing_symbol=SERVICE)
    files: dict[str, descriptor_pb2.FileDescriptorProto] = {}
    await _collect(caller, version, answer.file_descriptor_response.file_descriptor_proto, files)
    pool = descriptor_pool.DescriptorPool()
    for file in files.values():
        pool.Add(file)
    return pool


async def _collect(
    caller: Caller,
    version: str,
    serialized: Iterable[bytes],
    files: dict[str, descriptor_pb2.FileDescriptorProto],
) -> None:
    """What a file depends on is put before it."""
    for text in serialized:
        file = descriptor_pb2.FileDescriptorProto.FromString(text)
        for name in file.dependency:
            if name not in files:
                answer = await reflect(caller, version, file_by_filename=name)
                await _collect(caller, version, answer.file_descriptor_response.file_descriptor_proto, files)
        files.setdefault(file.name, file)


@VERSIONS
async def test_the_services_are_listed(caller: Caller, version: str) -> None:
    answer = await reflect(caller, version, list_services="")

    assert {service.name for service in answer.list_services_response.service} == {
        SERVICE,
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection",
    }


@VERSIONS
async def test_a_client_that_knows_nothing_can_call(caller: Caller, service: Service, version: str) -> None:
    pool = await pool_of(caller, version)
    method = pool.FindServiceByName(SERVICE).FindMethodByName("ValidateAgent")
    request = message_factory.GetMessageClass(method.input_type)()
    json_format.ParseDict({"accessToken": service.token, "agent": "helper"}, request)

    call: Any = caller.channel.unary_unary(
        f"/{SERVICE}/{method.name}",
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=message_factory.GetMessageClass(method.output_type).FromString,
    )
    answer = json_format.MessageToDict(await call(request, metadata=caller.metadata, timeout=10))

    assert answer["orgId"] == str(service.org_id)
    assert answer["agentSlug"] == "helper"
    assert answer["permissions"] == ["memory:read", "session:create", "session:read"]


async def test_reflection_tells_nothing_that_is_not_published(caller: Caller) -> None:
    answer = await reflect(caller, "v1", file_containing_symbol="ibex.auth.v1.Secret")

    assert answer.error_response.error_code == grpc.StatusCode.NOT_FOUND.value[0]
