"""The edge: a call comes in as bytes, and goes out as an answer or a status, counted and logged."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, Generic, NoReturn, TypeAlias, TypeVar

import grpc
from google.protobuf.message import DecodeError, Message
from grpc import StatusCode

from ibex.auth.rpc.call import Call
from ibex.auth.rpc.status import ERROR_CODE, ERROR_SUBJECT, REQUEST_ID, message_of, status_of, subject_of
from ibex.auth.validation.judgement import refusal
from ibex.errors import ErrorCode, IbexError
from ibex.telemetry import AccessLog, Instruments

logger = logging.getLogger(__name__)

Request = TypeVar("Request", bound=Message)
Context = grpc.aio.ServicerContext[bytes, bytes]
Handler: TypeAlias = "grpc.RpcMethodHandler[bytes, bytes]"


class CallRecord:
    """Counts and logs what came of each call."""

    def __init__(self, instruments: Instruments, access_log: AccessLog) -> None:
        self._instruments = instruments
        self._access_log = access_log

    def add(self, method: str, call: Call, status: StatusCode, code: ErrorCode | None) -> None:
        seconds = time.perf_counter() - call.started
        self._instruments.count_rpc(method, status.name, seconds)
        if call.subject == "caller" and status is not StatusCode.INTERNAL:
            self._instruments.auth_refusals.add()
        if self._access_log.is_enabled:
            self._access_log.add(
                {
                    "time": datetime.now(UTC),
                    "request_id": call.request_id,
                    "trace_id": call.trace.trace_id,
                    "client": call.peer,
                    "operation": "grpc",
                    "method": method,
                    "grpc_status": status.name,
                    "error_code": code,
                    "ms": round(seconds * 1e3, 3),
                    "org_id": call.caller_org_id,
                    "token_id": call.caller_token_id,
                    "asked_token_id": call.asked_token_id,
                }
            )


class Endpoint(Generic[Request]):
    """One method.

    Parameters
    ----------
    method: its name, as it is counted.
    admit: lets a caller in, or raises `IbexError`; before it, nothing of the request is looked at.
    answer: makes the answer, or raises `IbexError`.
    timeout: seconds for all of it.
    """

    def __init__(
        self,
        method: str,
        request: type[Request],
        admit: Callable[[Call], Awaitable[None]],
        answer: Callable[[Call, Request], Awaitable[Message]],
        record: CallRecord,
        *,
        timeout: float,
    ) -> None:
        self._method = method
        self._request = request
        self._admit = admit
        self._answer = answer
        self._record = record
        self._timeout = timeout

    def handler(self) -> Handler:
        """For gRPC to call, with bytes: of a request that it cannot parse itself, it would make a fault."""
        return grpc.unary_unary_rpc_method_handler(self.serve)

    async def serve(self, message: bytes, context: Context) -> bytes:
        metadata: Any = context.invocation_metadata() or ()
        call = Call.of(context.peer(), metadata)
        try:
            async with asyncio.timeout(self._timeout):
                await self._admit(call)
                response = await self._answer(call, self._parsed(message))
        except IbexError as error:
            refused = error
        except TimeoutError:
            refused = refusal(ErrorCode.AUTH_UNAVAILABLE)
        except asyncio.CancelledError:
            self._record.add(self._method, call, _gone(context), None)
            raise
        except Exception:
            logger.exception("%s failed (request %s)", self._method, call.request_id)
            refused = IbexError(ErrorCode.INTERNAL_ERROR, "Something failed that should not have.")
        else:
            self._record.add(self._method, call, StatusCode.OK, None)
            # Not in the initial metadata, which would go out by itself and cost a fifth of the call.
            context.set_trailing_metadata(((REQUEST_ID, str(call.request_id)),))
            return response.SerializeToString()
        return await self._refuse(call, refused, context)

    def _parsed(self, message: bytes) -> Request:
        try:
            return self._request.FromString(message)
        except DecodeError:
            raise IbexError(
                ErrorCode.VALIDATION_ERROR, f"The message is not a {self._request.DESCRIPTOR.full_name}."
            ) from None

    async def _refuse(self, call: Call, error: IbexError, context: Context) -> NoReturn:
        status = status_of(error.code)
        subject = subject_of(status, call.subject)
        self._record.add(self._method, call, status, error.code)
        told = (
            (REQUEST_ID, str(call.request_id)),
            (ERROR_CODE, str(error.code)),
            (ERROR_SUBJECT, subject),
        )
        await context.abort(status, message_of(error, subject), told)


class Unserved(grpc.GenericRpcHandler):
    """Asked last: answers for every method that nobody else has."""

    def __init__(self, record: CallRecord) -> None:
        self._record = record
        self._handler: Handler = grpc.unary_unary_rpc_method_handler(self._refuse)

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Handler:
        return self._handler

    async def _refuse(self, message: bytes, context: Context) -> NoReturn:
        metadata: Any = context.invocation_metadata() or ()
        call = Call.of(context.peer(), metadata)
        self._record.add("other", call, StatusCode.UNIMPLEMENTED, ErrorCode.NOT_FOUND)
        await context.abort(
            StatusCode.UNIMPLEMENTED,
            "There is no such method.",
            ((ERROR_CODE, str(ErrorCode.NOT_FOUND)), (ERROR_SUBJECT, "request")),
        )


def _gone(context: Context) -> StatusCode:
    """Why a call was cancelled: its client's own deadline has passed, or the client has left."""
    remaining = context.time_remaining()
    return StatusCode.DEADLINE_EXCEEDED if remaining is not None and remaining <= 0 else StatusCode.CANCELLED
