"""What happens to one request, from its first byte to its record. Read it from top to bottom."""

import asyncio
import logging
from dataclasses import dataclass
from uuid import UUID

from ibex.auth import Principal
from ibex.errors import ErrorCode, IbexError
from ibex.http import Receive, Scope, Send
from ibex.ids import uuid7
from ibex.proxy.admission import Admission
from ibex.proxy.call import Call, Operation, Progress
from ibex.proxy.client import ClientWatch
from ibex.proxy.deadline import Deadline, Deadlines
from ibex.proxy.idempotency import IdempotencyKeys, Reservation, StoredAnswer
from ibex.proxy.providers.base import ProviderRequest
from ibex.proxy.providers.calling import Answer, Caller, NoAnswerError, Target, read_json_body
from ibex.proxy.providers.failures import AttemptFailedError, to_error
from ibex.proxy.record import Recorder, Request
from ibex.proxy.relay import relay
from ibex.proxy.reply import Reply
from ibex.proxy.request import ClientGoneError, RequestHeaders, client_of, read_body
from ibex.proxy.routing import Router
from ibex.telemetry import Instruments, Step, StepClock, trace_of

logger = logging.getLogger(__name__)

_FORWARDED_HEADERS = ((b"openai-beta", "OpenAI-Beta"), (b"traceparent", "traceparent"))


@dataclass(frozen=True, slots=True)
class Bounds:
    """Within what a request must arrive and an answer end: bytes, and seconds for the body."""

    body_bytes: int
    body_seconds: float
    response_bytes: int


class Pipeline:
    """The steps of a request, in order. Each is one call below and one entry of `Step`."""

    def __init__(
        self,
        *,
        admission: Admission,
        idempotency: IdempotencyKeys,
        router: Router,
        caller: Caller,
        recorder: Recorder,
        deadlines: Deadlines,
        instruments: Instruments,
        bounds: Bounds,
        docs_base_url: str,
    ) -> None:
        self._admission = admission
        self._idempotency = idempotency
        self._router = router
        self._caller = caller
        self._recorder = recorder
        self._deadlines = deadlines
        self._instruments = instruments
        self._bounds = bounds
        self._docs_base_url = docs_base_url

    async def run(self, operation: Operation, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, whatever happens, and record it."""
        clock = StepClock()
        request_id = uuid7()
        headers = RequestHeaders.of(scope)
        trace = trace_of(headers.text(b"traceparent"), request_id)
        request = Request(operation.name, request_id, trace, client_of(scope))
        reply = Reply(
            send,
            clock,
            request_id=request_id,
            trace_id=trace.trace_id,
            docs_base_url=self._docs_base_url,
            dialect="openai",
        )
        call: Call | None = None
        progress = Progress()
        deadline = self._deadlines.open()
        self._instruments.in_flight.add()
        try:
            body = await read_body(
                receive,
                headers,
                deadline,
                limit=self._bounds.body_bytes,
                within=self._bounds.body_seconds,
            )
            payload = operation.parse(body)
            clock.lap(Step.BODY)
            with ClientWatch(scope, receive):
                principal = await self._admission.authenticate(headers, operation.permissions, progress)
                clock.lap(Step.AUTH)
                await self._admission.limit(principal, reply)
                clock.lap(Step.LIMITS)
                reservation = await self._reserve(principal, headers, operation, body, reply)
                clock.lap(Step.IDEMPOTENCY)
                if isinstance(reservation, StoredAnswer):
                    progress.is_replay = True
                    await reply.start(200, reservation.content_type.encode("latin-1"), len(reservation.body))
                    await reply.finish(reservation.body)
                    return
                progress.reservation = reservation
                session_id = _session(headers, operation, request_id, reply)
                clock.lap(Step.SESSION)
                call = Call(
                    operation=operation,
                    request_id=request_id,
                    principal=principal,
                    payload=payload,
                    body=body,
                    session_id=session_id,
                    user_id=headers.user_id() or payload.user,
                )
                targets = self._router.targets(payload.model)
                clock.lap(Step.ROUTE)
                await self._answer(call, targets, headers, reply, progress, clock, deadline)
        except IbexError as error:
            progress.outcome = "broken" if reply.has_started else "failed"
            progress.error_code = error.code
            await reply.error(error)
        except ClientGoneError:
            # Clients may hang up as soon as they have read the end of a stream, before that of the message.
            progress.outcome = "ok" if progress.capture.is_done() else "client_gone"
        except Exception:
            logger.exception("request %s failed", request_id)
            progress.outcome = "broken" if reply.has_started else "failed"
            progress.error_code = ErrorCode.INTERNAL_ERROR
            await reply.error(IbexError(ErrorCode.INTERNAL_ERROR, "Something failed that should not have."))
        finally:
            self._deadlines.close(deadline)
            self._instruments.in_flight.add(amount=-1.0)
            self._recorder.record(request, call, progress, reply, clock)

    async def _reserve(
        self, principal: Principal, headers: RequestHeaders, operation: Operation, body: bytes, reply: Reply
    ) -> Reservation | StoredAnswer | None:
        key = headers.idempotency_key()
        if key is None:
            return None
        reserved = await self._idempotency.reserve(principal, key, operation.name, body)
        if isinstance(reserved, StoredAnswer):
            reply.add_headers({"X-IBEX-Idempotency": "replayed"})
        elif not reserved.is_honoured:
            reply.add_headers({"X-IBEX-Idempotency": "unavailable"})
        return reserved

    async def _answer(
        self,
        call: Call,
        targets: tuple[Target, ...],
        headers: RequestHeaders,
        reply: Reply,
        progress: Progress,
        clock: StepClock,
        deadline: Deadline,
    ) -> None:
        """Call the provider and forward what it says. Raises `IbexError`."""
        forwarded = {name: text for raw, name in _FORWARDED_HEADERS if (text := headers.text(raw))}

        def compose(target: Target) -> ProviderRequest:
            return ProviderRequest(
                path=call.operation.path,
                body=call.payload.with_model(target.model),
                model=target.model,
                streams=call.payload.streams,
                headers=forwarded,
            )

        progress.target = targets[0]
        answer: Answer | None = None
        try:
            answer = await self._caller.open(targets, compose, deadline, progress)
            await self._forward(answer, reply, progress, clock, deadline)
        except NoAnswerError as error:
            raise error.for_client() from None
        except AttemptFailedError as failure:
            raise to_error(failure, progress.target.upstream.name) from None
        except asyncio.CancelledError:
            progress.outcome = "client_gone"
            raise
        finally:
            if answer is not None:
                answer.response.close()

    async def _forward(
        self, answer: Answer, reply: Reply, progress: Progress, clock: StepClock, deadline: Deadline
    ) -> None:
        if answer.is_stream:
            clock.lap(Step.PROVIDER)
            await relay(answer, reply, progress.capture, deadline)
            clock.lap(Step.STREAM)
            return
        body = await read_json_body(answer, self._bounds.response_bytes, deadline)
        clock.lap(Step.PROVIDER)
        progress.capture.feed(body, is_stream=False)
        await reply.json(200, body)
        clock.lap(Step.STREAM)


def _session(headers: RequestHeaders, operation: Operation, request_id: UUID, reply: Reply) -> str | None:
    """The session this call belongs to: the one named, else a new one; told back either way."""
    if not operation.has_session:
        return None
    session_id = headers.session_id() or f"ses_{request_id.hex}"
    reply.add_headers({"X-IBEX-Session-ID": session_id})
    return session_id
