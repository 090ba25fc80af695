"""One call, and what becomes known of it on its way."""

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import unquote
from uuid import UUID

from ibex.errors import ErrorCode, IbexError
from ibex.ids import uuid7
from ibex.telemetry import Trace, trace_of

# Which of the two tokens a refusal is about, when it is about one.
Subject = Literal["caller", "access_token", "request"]

_AUTHORIZATION = "authorization"


@dataclass(slots=True)
class Call:
    """`caller_*` is who asks, `asked_token_id` is the token that is asked about, true or not."""

    request_id: UUID
    started: float
    trace: Trace
    peer: str | None
    authorizations: tuple[str, ...] = field(repr=False)
    subject: Subject = "request"
    caller_org_id: UUID | None = None
    caller_token_id: UUID | None = None
    asked_token_id: UUID | None = None

    @classmethod
    def of(cls, peer: str, metadata: Iterable[tuple[str, str | bytes]]) -> "Call":
        """`peer` as gRPC writes it."""
        request_id = uuid7()
        authorizations, traceparent = [], None
        for name, value in metadata:
            if isinstance(value, str):
                if name == _AUTHORIZATION:
                    authorizations.append(value)
                elif name == "traceparent":
                    traceparent = value
        trace = trace_of(traceparent, request_id)
        return cls(request_id, time.perf_counter(), trace, address_of(peer), tuple(authorizations))

    def bearer_token(self) -> str:
        """Raises MISSING_TOKEN, INVALID_TOKEN for another scheme, VALIDATION_ERROR for more than one."""
        if not self.authorizations:
            raise IbexError(
                ErrorCode.MISSING_TOKEN, "Send a service token in the metadata: `authorization: Bearer …`."
            )
        if len(self.authorizations) > 1:
            raise IbexError(ErrorCode.VALIDATION_ERROR, "`authorization` was sent more than once.")
        scheme, _, token = self.authorizations[0].partition(" ")
        if scheme.lower() != "bearer":
            raise IbexError(ErrorCode.INVALID_TOKEN, "`authorization` must be `Bearer <token>`.")
        return token.strip()


def address_of(peer: str) -> str | None:
    """The address in `ipv4:192.0.2.1:50000` or `ipv6:%5B2001:db8::1%5D:50000`, without the zone that one of a
    link has; None for anything else."""
    family, _, rest = unquote(peer).partition(":")
    if family not in {"ipv4", "ipv6"}:
        return None
    return rest.rpartition(":")[0].strip("[]").partition("%")[0]
