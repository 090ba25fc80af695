"""One request as it arrived."""

from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from ibex.http import ClientAddress, RequestHeaders, Scope
from ibex.ids import uuid7
from ibex.telemetry import Trace, trace_of

OperationName = Literal["chat_completions", "messages", "embeddings", "models"]


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it arrived: what it is for, how it is found again, where it came from."""

    operation: OperationName
    id: UUID
    trace: Trace
    client: str | None
    headers: RequestHeaders

    @classmethod
    def of(cls, operation: OperationName, scope: Scope, client_address: ClientAddress) -> "Request":
        headers, request_id = RequestHeaders.of(scope), uuid7()
        trace = trace_of(headers.text(b"traceparent"), request_id)
        return cls(operation, request_id, trace, client_address.of(scope), headers)
