"""Reads a request off the wire: its headers, and its body within the limits."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal
from uuid import UUID

from ibex.errors import ErrorCode, IbexError
from ibex.http import Receive, Scope
from ibex.ids import uuid7
from ibex.proxy.deadline import Deadline
from ibex.telemetry import Trace, trace_of

OperationName = Literal["chat_completions", "embeddings", "models"]

_SESSION_ID = re.compile(r"[\x21-\x7e]{1,64}")
_AGENT = re.compile(r"[A-Za-z0-9-]{1,64}")
_USER_ID = re.compile(r"[^\x00-\x1f\x7f]{1,256}")
_IDEMPOTENCY_KEY = re.compile(r"[\x20-\x7e]{1,256}")
# Two of these would leave it to chance who is asking, and for whom.
_GIVEN_ONCE = {
    b"authorization": "Authorization",
    b"x-api-key": "X-Api-Key",
    b"x-ibex-agent-id": "X-IBEX-Agent-ID",
    b"x-ibex-session-id": "X-IBEX-Session-ID",
    b"x-ibex-user-id": "X-IBEX-User-ID",
    b"idempotency-key": "Idempotency-Key",
}


class ClientGoneError(Exception):
    """Nobody is left to answer."""


@dataclass(frozen=True, slots=True)
class RequestHeaders:
    """The headers that IBEX itself reads; each is checked when it is used, not before its step."""

    fields: dict[bytes, bytes] = field(repr=False)
    repeated: str | None = None

    @classmethod
    def of(cls, scope: Scope) -> "RequestHeaders":
        sent = scope["headers"]
        fields = dict(sent)
        return cls(fields, None if len(fields) == len(sent) else _repeated(sent))

    def refuse_repeated(self) -> None:
        """Raises VALIDATION_ERROR when one that must be given once was given again."""
        if self.repeated is not None:
            raise IbexError(
                ErrorCode.VALIDATION_ERROR, f"`{self.repeated}` was sent more than once.", param=self.repeated
            )

    def text(self, name: bytes) -> str | None:
        """A header's value, its name in lower case; None when absent or empty."""
        value = self.fields.get(name)
        return value.decode("utf-8", "replace").strip() or None if value else None

    def bearer_token(self) -> str:
        """Raises MISSING_TOKEN, or INVALID_TOKEN when the scheme is another."""
        authorization = self.text(b"authorization")
        if authorization is None:
            key = self.text(b"x-api-key")
            if key is not None:
                return key
            raise IbexError(
                ErrorCode.MISSING_TOKEN,
                "Send a token: `Authorization: Bearer ibex_pat_…`.",
                param="Authorization",
            )
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer":
            raise IbexError(
                ErrorCode.INVALID_TOKEN, "`Authorization` must be `Bearer <token>`.", param="Authorization"
            )
        return token.strip()

    def agent(self) -> str | None:
        return self._checked(b"x-ibex-agent-id", "X-IBEX-Agent-ID", _AGENT, "an agent's id or slug")

    def session_id(self) -> str | None:
        return self._checked(
            b"x-ibex-session-id",
            "X-IBEX-Session-ID",
            _SESSION_ID,
            "1 to 64 printable ASCII characters, no spaces",
        )

    def user_id(self) -> str | None:
        return self._checked(b"x-ibex-user-id", "X-IBEX-User-ID", _USER_ID, "1 to 256 printable characters")

    def idempotency_key(self) -> str | None:
        return self._checked(
            b"idempotency-key", "Idempotency-Key", _IDEMPOTENCY_KEY, "1 to 256 printable ASCII characters"
        )

    def _checked(self, name: bytes, shown: str, pattern: re.Pattern[str], form: str) -> str | None:
        value = self.text(name)
        if value is not None and pattern.fullmatch(value) is None:
            raise IbexError(ErrorCode.VALIDATION_ERROR, f"`{shown}` must be {form}.", param=shown)
        return value


def _repeated(sent: Sequence[tuple[bytes, bytes]]) -> str | None:
    names = [name for name, _ in sent]
    return next((shown for name, shown in _GIVEN_ONCE.items() if names.count(name) > 1), None)


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it arrived: what it is for, how it is found again, where it came from."""

    operation: OperationName
    id: UUID
    trace: Trace
    client: str | None
    headers: RequestHeaders

    @classmethod
    def of(cls, operation: OperationName, scope: Scope) -> "Request":
        headers, request_id, client = RequestHeaders.of(scope), uuid7(), scope.get("client")
        trace = trace_of(headers.text(b"traceparent"), request_id)
        return cls(operation, request_id, trace, client[0] if client else None, headers)


async def read_body(
    receive: Receive, headers: RequestHeaders, deadline: Deadline, *, limit: int, within: float
) -> bytes:
    """The whole body.

    Parameters
    ----------
    limit: most bytes accepted.
    within: seconds in which all of it must have arrived.

    Raises PAYLOAD_TOO_LARGE, UNSUPPORTED_MEDIA_TYPE, REQUEST_TIMEOUT, or `ClientGoneError`.
    """
    _check_media_type(headers)
    length = headers.text(b"content-length")
    if length is not None and length.isdecimal() and int(length) > limit:
        raise _too_large(limit)
    chunks: list[bytes] = []
    size, more = 0, True
    try:
        with deadline.within(within):
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientGoneError
                chunk: bytes = message.get("body", b"")
                size += len(chunk)
                if size > limit:
                    raise _too_large(limit)
                chunks.append(chunk)
                more = message.get("more_body", False)
    except TimeoutError:
        raise IbexError(
            ErrorCode.REQUEST_TIMEOUT,
            f"The body did not arrive within {within:g} s.",
            headers={"Connection": "close"},
        ) from None
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _check_media_type(headers: RequestHeaders) -> None:
    encoding = headers.text(b"content-encoding")
    if encoding is not None and encoding.lower() != "identity":
        raise IbexError(
            ErrorCode.UNSUPPORTED_MEDIA_TYPE,
            f"A body with `Content-Encoding: {encoding[:32]}` is not accepted; send it plain.",
            param="Content-Encoding",
        )
    media_type = (headers.text(b"content-type") or "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise IbexError(
            ErrorCode.UNSUPPORTED_MEDIA_TYPE,
            f"Send `Content-Type: application/json`, not `{media_type[:64] or 'none'}`.",
            param="Content-Type",
        )


def _too_large(limit: int) -> IbexError:
    return IbexError(ErrorCode.PAYLOAD_TOO_LARGE, f"The body is larger than {limit} bytes.")
