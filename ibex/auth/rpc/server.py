"""The gRPC server of one process."""

import grpc
from grpc_health.v1 import health_pb2_grpc

from ibex.auth.rpc.credentials import server_credentials
from ibex.auth.rpc.endpoint import CallRecord, Endpoint, Unserved
from ibex.auth.rpc.health import HealthService
from ibex.auth.rpc.listener import Listener
from ibex.auth.rpc.reflection import ReflectionService
from ibex.auth.rpc.service import AuthService
from ibex.auth.v1 import auth_pb2

# A token and an address are less than 200 bytes.
_MESSAGE_BYTES = 16 << 10
# Calls take at most their timeout, and that is seconds only where somebody has raised it.
_LONGEST_GRACE = 2.0
_SHORTEST_GRACE = 0.2

_OPTIONS = (
    # Every process listens on the port, and the kernel shares the connections out.
    ("grpc.so_reuseport", 1),
    ("grpc.max_receive_message_length", _MESSAGE_BYTES),
    ("grpc.max_metadata_size", 8 << 10),
    ("grpc.absolute_max_metadata_size", 16 << 10),
    # Nothing here gets smaller by it, and what is not unpacked cannot be a bomb: identity is bit 0.
    ("grpc.compression_enabled_algorithms_bitset", 1),
    # Of one connection. At the limit gRPC refuses a stream now and then that a client believes to be free.
    ("grpc.max_concurrent_streams", 1_000),
    ("grpc.max_allowed_incoming_connections", 1_000),
    ("grpc.server_handshake_timeout_ms", 10_000),
    # Connections end now and then, so that clients spread over the processes and certificates are looked at.
    ("grpc.max_connection_idle_ms", 15 * 60_000),
    ("grpc.max_connection_age_ms", 60 * 60_000),
    ("grpc.max_connection_age_grace_ms", 10_000),
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.keepalive_permit_without_calls", 1),
    # A client that pings more often than this is sent away.
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    ("grpc.http2.max_ping_strikes", 2),
)


class RpcServer:
    """`AuthService`, health and reflection on one port.

    Parameters
    ----------
    timeout: seconds that a call may take.
    """

    def __init__(
        self,
        listener: Listener,
        service: AuthService,
        health: HealthService,
        record: CallRecord,
        *,
        timeout: float,
    ) -> None:
        self._listener = listener
        self._service = service
        self._health = health
        self._record = record
        self._timeout = timeout
        self._reflection = ReflectionService()
        self._server = grpc.aio.server(options=_OPTIONS)

    async def start(self) -> None:
        """Listen. Raises `TlsError`, and RuntimeError when the port cannot be had."""
        self._server.add_generic_rpc_handlers((self._auth(), *self._reflection.handlers()))
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        self._server.add_generic_rpc_handlers((Unserved(self._record),))
        target, tls = self._listener.target, self._listener.tls
        if tls is None:
            self._server.add_insecure_port(target)
        else:
            self._server.add_secure_port(target, server_credentials(tls))
        await self._health.start()
        await self._server.start()

    async def stop(self) -> None:
        """Let nobody in any more, and answer those who were."""
        await self._health.stop()
        await self._reflection.stop()
        await self._server.stop(min(self._timeout + _SHORTEST_GRACE, _LONGEST_GRACE))

    def _auth(self) -> grpc.GenericRpcHandler:
        service, record, timeout = self._service, self._record, self._timeout
        handlers = {
            "ValidateToken": Endpoint(
                "ValidateToken",
                auth_pb2.ValidateTokenRequest,
                service.admit,
                service.validate_token,
                record,
                timeout=timeout,
            ).handler(),
            "ValidateAgent": Endpoint(
                "ValidateAgent",
                auth_pb2.ValidateAgentRequest,
                service.admit,
                service.validate_agent,
                record,
                timeout=timeout,
            ).handler(),
        }
        name = auth_pb2.DESCRIPTOR.services_by_name["AuthService"].full_name
        return grpc.method_handlers_generic_handler(name, handlers)
