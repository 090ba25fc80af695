"""Server reflection, v1 and v1alpha: what there is to call. Open, because the descriptor is published."""

from collections.abc import AsyncIterable, AsyncIterator

import grpc
from grpc_health.v1 import health
from grpc_reflection.v1alpha import reflection
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest, ServerReflectionResponse

from ibex.auth.rpc.watchers import Watchers
from ibex.auth.v1 import auth_pb2

# The messages of both versions are the same on the wire; only the packages have different names.
_SERVICES = ("grpc.reflection.v1.ServerReflection", reflection.SERVICE_NAME)
_METHOD = "ServerReflectionInfo"


class ReflectionService(reflection.aio.ReflectionServicer):  # type: ignore[misc]
    """Tells of the services of the project and of the standard."""

    def __init__(self) -> None:
        super().__init__(
            [
                auth_pb2.DESCRIPTOR.services_by_name["AuthService"].full_name,
                health.SERVICE_NAME,
                *_SERVICES,
            ]
        )
        self._watchers = Watchers()

    async def stop(self) -> None:
        await self._watchers.send_away()

    async def ServerReflectionInfo(  # noqa: N802
        self, request_iterator: AsyncIterable[ServerReflectionRequest], context: object
    ) -> AsyncIterator[ServerReflectionResponse]:
        async with self._watchers.one_more(context):
            async for response in super().ServerReflectionInfo(request_iterator, context):
                yield response

    def handlers(self) -> list[grpc.GenericRpcHandler]:
        handler = grpc.stream_stream_rpc_method_handler(
            self.ServerReflectionInfo,
            request_deserializer=ServerReflectionRequest.FromString,
            response_serializer=ServerReflectionResponse.SerializeToString,
        )
        return [grpc.method_handlers_generic_handler(service, {_METHOD: handler}) for service in _SERVICES]
