"""What remains of a request once it is answered. Nothing here is waited for by anybody."""

import asyncio
from datetime import UTC, datetime

from ibex.proxy.call import Call, Progress
from ibex.proxy.context import ContextStep
from ibex.proxy.dialects import Summary
from ibex.proxy.estimate import tokens_used
from ibex.proxy.idempotency import IdempotencyKeys, Reservation, StoredAnswer
from ibex.proxy.reply import Reply
from ibex.proxy.request import OperationName, Request
from ibex.proxy.tracing import CallTraces
from ibex.proxy.transcript import Transcript
from ibex.telemetry import AccessLog, Instruments, StepClock, Tracing

_CLIENT_GONE_STATUS = 499
# What the server says on behalf of a request that it cancelled.
_CANCELLED_STATUS = 500


class Recorder:
    """Writes the trace, the metrics, the line in the log and the span of each request."""

    def __init__(
        self,
        *,
        traces: CallTraces,
        transcript: Transcript,
        context: ContextStep,
        idempotency: IdempotencyKeys,
        instruments: Instruments,
        access_log: AccessLog,
        tracing: Tracing,
    ) -> None:
        self._traces = traces
        self._transcript = transcript
        self._context = context
        self._idempotency = idempotency
        self._instruments = instruments
        self._access_log = access_log
        self._tracing = tracing
        self._background: set[asyncio.Task[None]] = set()

    def record(
        self, request: Request, call: Call | None, progress: Progress, reply: Reply, clock: StepClock
    ) -> None:
        """Called once for each request. `call` is None when it was refused before it became one."""
        clock.stop()
        status = _status(progress, reply)
        summary = progress.capture.summary()
        if progress.hold is not None:
            progress.hold.end(tokens_used(call, progress, summary))
        if call is not None:
            self._context.finished(call, progress, summary)
            self._traces.add(request, call, progress, summary, reply, clock, status)
            self._transcript.add(call, progress)
        if progress.reservation is not None:
            session_id = call.session_id if call is not None else None
            self._settle(progress.reservation, session_id, progress, reply)
        self._measure(request.operation, progress, summary, reply, clock, status)
        if self._access_log.is_enabled:
            self._access_log.add(_line(request, call, progress, summary, reply, clock, status))
        self._tracing.record(
            request.operation,
            clock,
            request.trace,
            {
                "http.response.status_code": status,
                "ibex.request_id": reply.request_id,
                "ibex.outcome": progress.outcome,
            },
        )

    async def close(self) -> None:
        """Wait for what was started in the background."""
        if self._background:
            await asyncio.wait(self._background, timeout=1.0)

    def _settle(
        self, reservation: Reservation, session_id: str | None, progress: Progress, reply: Reply
    ) -> None:
        """Keep a complete answer for a repeated request, or free the key."""
        body = progress.capture.body() if progress.outcome == "ok" else None
        if body is None:
            work = self._idempotency.give_back(reservation)
        else:
            work = self._idempotency.keep(reservation, StoredAnswer(reply.content_type, body, session_id))
        task = asyncio.create_task(work, name="idempotency")
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    def _measure(
        self,
        operation: OperationName,
        progress: Progress,
        summary: Summary,
        reply: Reply,
        clock: StepClock,
        status: int,
    ) -> None:
        instruments = self._instruments
        instruments.count_request(operation, status)
        instruments.request_seconds.observe(operation, seconds=clock.elapsed())
        for step, begin, end in clock.laps:
            instruments.step_seconds.observe(step, seconds=end - begin)
        if reply.has_started:
            instruments.overhead_seconds.observe(seconds=reply.overhead)
        if progress.outcome == "client_gone":
            instruments.clients_gone.add()
        if progress.target is not None:
            provider, usage = progress.target.upstream.name, summary.usage
            instruments.tokens.add(provider, "input", amount=usage.input or 0)
            instruments.tokens.add(provider, "cached", amount=usage.cached or 0)
            instruments.tokens.add(provider, "output", amount=usage.output or 0)


def _status(progress: Progress, reply: Reply) -> int:
    """What was answered; else a status that stands for why nothing was."""
    if reply.has_started:
        return reply.status
    return _CANCELLED_STATUS if progress.outcome == "cancelled" else _CLIENT_GONE_STATUS


def _line(
    request: Request,
    call: Call | None,
    progress: Progress,
    summary: Summary,
    reply: Reply,
    clock: StepClock,
    status: int,
) -> dict[str, object]:
    """The line in the access log: who asked for what, how it went, and why."""
    principal = progress.principal
    return {
        "time": datetime.fromtimestamp(clock.started_ns / 1e9, UTC),
        "request_id": request.id,
        "trace_id": request.trace.trace_id,
        "client": request.client,
        "operation": request.operation,
        "status": status,
        "outcome": progress.outcome,
        "error_code": progress.error_code,
        "ms": round(clock.elapsed() * 1e3, 3),
        "overhead_ms": round(reply.overhead * 1e3, 3),
        "bytes": reply.size,
        "org_id": principal.org_id if principal else None,
        "agent_id": principal.agent_id if principal else None,
        "agent": principal.agent_slug if principal else None,
        "token_id": progress.token_id,
        "session_id": call.session_id if call else None,
        "model": call.payload.model if call else None,
        "streamed": call.payload.streams if call else None,
        "provider": progress.target.upstream.name if progress.target else None,
        "attempts": progress.attempts,
        "failures": progress.failures,
        "is_replay": progress.is_replay,
        "input_tokens": summary.usage.input,
        "output_tokens": summary.usage.output,
    }
