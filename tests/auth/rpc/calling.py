"""A caller of the gRPC interface, with the client that is generated from its description."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Self
from uuid import UUID

import grpc

from ibex.auth import NO_PERMISSION, PlatformRight
from ibex.auth.v1 import auth_pb2, auth_pb2_grpc
from tests.operator import Operator

PATIENCE = 10.0


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a call failed: its status, the project's code, whom it is about, and the sentence."""

    status: str
    code: str
    subject: str
    message: str

    @classmethod
    def of(cls, error: grpc.aio.AioRpcError) -> Self:
        trailing = dict(error.trailing_metadata())
        return cls(
            error.code().name,
            str(trailing.get("ibex-error-code", "")),
            str(trailing.get("ibex-error-subject", "")),
            error.details() or "",
        )

    @property
    def reason(self) -> tuple[str, str, str]:
        return self.status, self.code, self.subject


class Caller:
    """Somebody who asks, with a service token."""

    def __init__(self, channel: grpc.aio.Channel, token: str | None) -> None:
        self.channel = channel
        self.stub: Any = auth_pb2_grpc.AuthServiceStub(channel)  # type: ignore[no-untyped-call]
        self.metadata: tuple[tuple[str, str], ...] = ()
        if token is not None:
            self.metadata = (("authorization", f"Bearer {token}"),)

    def method(self, name: str) -> Any:
        """A method by its full name, with messages in bytes."""
        return self.channel.unary_unary(name)

    async def validate_token(self, access_token: str, **fields: Any) -> auth_pb2.ValidateTokenResponse:
        """Raises AioRpcError."""
        request = auth_pb2.ValidateTokenRequest(access_token=access_token, **fields)
        answer: auth_pb2.ValidateTokenResponse = await self.stub.ValidateToken(
            request, metadata=self.metadata, timeout=PATIENCE
        )
        return answer

    async def validate_agent(self, access_token: str, **fields: Any) -> auth_pb2.ValidateAgentResponse:
        """Raises AioRpcError."""
        request = auth_pb2.ValidateAgentRequest(access_token=access_token, **fields)
        answer: auth_pb2.ValidateAgentResponse = await self.stub.ValidateAgent(
            request, metadata=self.metadata, timeout=PATIENCE
        )
        return answer

    async def refusal(self, access_token: str, **fields: Any) -> Refusal | None:
        """Why ValidateToken refuses; None when it does not."""
        try:
            await self.validate_token(access_token, **fields)
        except grpc.aio.AioRpcError as error:
            return Refusal.of(error)
        return None

    async def agent_refusal(self, access_token: str, **fields: Any) -> Refusal | None:
        """The same of ValidateAgent."""
        try:
            await self.validate_agent(access_token, **fields)
        except grpc.aio.AioRpcError as error:
            return Refusal.of(error)
        return None

    def as_holder_of(self, token: str | None) -> "Caller":
        """Another caller over the same connection."""
        return Caller(self.channel, token)


@asynccontextmanager
async def calling(
    port: int,
    token: str | None,
    *,
    credentials: grpc.ChannelCredentials | None = None,
    options: Mapping[str, Any] | None = None,
) -> AsyncIterator[Caller]:
    """A caller with a connection of its own; with `credentials`, over TLS."""
    target = f"127.0.0.1:{port}"
    # Not shared with another channel of these tests, and soon tried again.
    arguments = [
        ("grpc.use_local_subchannel_pool", 1),
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 200),
        *(options or {}).items(),
    ]
    if credentials is None:
        channel = grpc.aio.insecure_channel(target, options=arguments)
    else:
        channel = grpc.aio.secure_channel(target, credentials, options=arguments)
    async with channel:
        yield Caller(channel, token)


async def service_token(operator: Operator, org_id: UUID) -> str:
    """A token with the right to ask, and with nothing else."""
    issued = await operator.issue(
        org_id, NO_PERMISSION, None, "asks over gRPC", platform=PlatformRight.VALIDATE
    )
    return issued.text
