"""What happens to one request, from its first byte to its record. Read it from top to bottom."""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass

from ibex.auth import AgentPrincipal
from ibex.errors import ErrorCode, IbexError
from ibex.http import ClientAddress, ClientGoneError, Deadline, Deadlines, Receive, Scope, Send, read_body
from ibex.proxy.admission import Admission
from ibex.proxy.call import Call, Operation, Progress
from ibex.proxy.capture import Capture
from ibex.proxy.client import ClientWatch
from ibex.proxy.context import ContextStep
from ibex.proxy.dialects import Interface
from ibex.proxy.idempotency import IdempotencyKeys, Reservation, StoredAnswer, fingerprint
from ibex.proxy.keys import KeyChoice, Route
from ibex.proxy.providers.base import ProviderRequest
from ibex.proxy.providers.calling import Answer, Caller, NoAnswerError, Target, read_json_body
from ibex.proxy.providers.failures import AttemptFailedError, to_error
from ibex.proxy.record import Recorder
from ibex.proxy.relay import relay
from ibex.proxy.reply import Reply
from ibex.proxy.request import Request
from ibex.proxy.routing import Router
from ibex.telemetry import Instruments, Step, StepClock

logger = logging.getLogger(__name__)


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
        context: ContextStep,
        router: Router,
        keys: KeyChoice,
        caller: Caller,
        recorder: Recorder,
        deadlines: Deadlines,
        instruments: Instruments,
        bounds: Bounds,
        client_address: ClientAddress,
        docs_base_url: str,
    ) -> None:
        self._admission = admission
        self._idempotency = idempotency
        self._context = context
        self._router = router
        self._keys = keys
        self._caller = caller
        self._recorder = recorder
        self._deadlines = deadlines
        self._instruments = instruments
        self._bounds = bounds
        self._client_address = client_address
        self._docs_base_url = docs_base_url

    async def run(self, operation: Operation, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, whatever happens, and record it."""
        clock = StepClock()
        request = Request.of(operation.name, scope, self._client_address)
        headers = request.headers
        interface = operation.interface
        reply = Reply(send, clock, request, docs_base_url=self._docs_base_url, dialect=interface.dialect)
        call: Call | None = None
        progress = Progress(capture=Capture(interface))
        deadline = self._deadlines.open()
        self._instruments.in_flight.add()
        try:
            # The token comes before the body, so that nobody without one has anything read or parsed.
            clock.enter(Step.AUTH)
            principal = await self._admission.authenticate(request, operation.permissions, progress)
            clock.enter(Step.BODY)
            body = await read_body(
                receive,
                headers,
                deadline,
                limit=self._bounds.body_bytes,
                within=self._bounds.body_seconds,
            )
            clock.enter(Step.PARSE)
            payload = operation.parse(body)
            with ClientWatch(scope, receive):
                clock.enter(Step.LIMITS)
                user_id = headers.user_id() or payload.user
                progress.hold = await self._admission.limit_call(
                    principal, user_id, lambda: operation.estimate(payload, len(body)), reply
                )
                clock.enter(Step.IDEMPOTENCY)
                reservation = await self._reserve(principal, request, body, reply)
                if isinstance(reservation, StoredAnswer):
                    progress.is_replay = True
                    clock.enter(Step.STREAM)
                    await _replay(reservation, reply)
                    return
                progress.reservation = reservation
                clock.enter(Step.SESSION)
                session_id = _session(request, operation, reply)
                call = Call(
                    operation=operation,
                    request_id=request.id,
                    principal=principal,
                    payload=payload,
                    body=body,
                    session_id=session_id,
                    user_id=user_id,
                )
                targets = self._router.targets(payload.model, interface.dialect)
                clock.enter(Step.CONTEXT)
                call = await self._context.given(call, request, targets, reply)
                clock.enter(Step.ROUTE)
                route = await self._keys.of(principal, headers.provider_key(), targets)
                clock.enter(Step.PROVIDER)
                await self._answer(
                    call, route, _forwarded(request, interface), reply, progress, clock, deadline
                )
        except IbexError as error:
            progress.outcome = "broken" if reply.has_started else "failed"
            progress.error_code = error.code
            await reply.error(error)
        except ClientGoneError:
            # Clients may hang up as soon as they have read the end of a stream, before that of the message.
            progress.outcome = "ok" if progress.capture.is_done() else "client_gone"
        except asyncio.CancelledError:
            progress.outcome = "cancelled"
            raise
        except Exception:
            logger.exception("request %s failed", request.id)
            progress.outcome = "broken" if reply.has_started else "failed"
            progress.error_code = ErrorCode.INTERNAL_ERROR
            await reply.error(IbexError(ErrorCode.INTERNAL_ERROR, "Something failed that should not have."))
        finally:
            self._deadlines.close(deadline)
            self._instruments.in_flight.add(amount=-1.0)
            self._recorder.record(request, call, progress, reply, clock)

    async def _reserve(
        self, principal: AgentPrincipal, request: Request, body: bytes, reply: Reply
    ) -> Reservation | StoredAnswer | None:
        headers = request.headers
        key = headers.idempotency_key()
        if key is None:
            return None
        asked = fingerprint(
            request.operation,
            headers.text(b"x-ibex-user-id"),
            headers.text(b"x-ibex-session-id"),
            body,
            headers.provider_key(),
        )
        reserved = await self._idempotency.reserve(principal, key, asked, request.id)
        if isinstance(reserved, Reservation) and not reserved.is_honoured:
            reply.add_headers({"X-IBEX-Idempotency": "unavailable"})
        return reserved

    async def _answer(
        self,
        call: Call,
        route: Route,
        forwarded: Mapping[str, str],
        reply: Reply,
        progress: Progress,
        clock: StepClock,
        deadline: Deadline,
    ) -> None:
        """Call the provider and forward what it says. Raises `IbexError`."""

        def compose(target: Target) -> ProviderRequest:
            return ProviderRequest(
                path=call.operation.path,
                body=call.payload.with_model(target.model),
                model=target.model,
                streams=call.payload.streams,
                headers=forwarded,
                key=route.keys.get(target.upstream.name),
            )

        progress.target = route.targets[0]
        answer: Answer | None = None
        try:
            answer = await self._caller.open(route.targets, compose, deadline, progress)
            await self._forward(answer, reply, progress, clock, deadline)
        except NoAnswerError as error:
            raise error.for_client() from None
        except AttemptFailedError as failure:
            raise to_error(failure, progress.target.upstream.name) from None
        finally:
            if answer is not None:
                answer.response.close()

    async def _forward(
        self, answer: Answer, reply: Reply, progress: Progress, clock: StepClock, deadline: Deadline
    ) -> None:
        if answer.is_stream:
            clock.enter(Step.STREAM)
            await relay(answer, reply, progress.capture, deadline)
            return
        body, parsed = await read_json_body(answer, self._bounds.response_bytes, deadline)
        clock.enter(Step.STREAM)
        progress.capture.feed_object(body, parsed)
        await reply.json(200, body)


async def _replay(answer: StoredAnswer, reply: Reply) -> None:
    """Say again what was said the first time."""
    reply.add_headers({"X-IBEX-Idempotency": "replayed"})
    if answer.session_id is not None:
        reply.add_headers({"X-IBEX-Session-ID": answer.session_id})
    await reply.start(200, answer.content_type.encode("latin-1"), len(answer.body))
    await reply.finish(answer.body)


def _forwarded(request: Request, interface: Interface) -> dict[str, str]:
    """The client's headers that a provider is told: the dialect's, and a trace that it can continue."""
    told = {name: request.headers.text(sent) for sent, name in interface.forwards.items()}
    if request.trace.parent_id is not None:
        told["traceparent"] = request.headers.text(b"traceparent")
    return {name: text for name, text in told.items() if text is not None}


def _session(request: Request, operation: Operation, reply: Reply) -> str | None:
    """The session this call belongs to: the one named, else a new one; told back either way."""
    if not operation.has_session:
        return None
    session_id = request.headers.session_id() or f"ses_{request.id.hex}"
    reply.add_headers({"X-IBEX-Session-ID": session_id})
    return session_id
