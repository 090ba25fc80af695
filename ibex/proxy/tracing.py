"""Makes the trace of a call."""

import asyncio
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256

from ibex.proxy.call import Call, Progress
from ibex.proxy.capture import Capture
from ibex.proxy.dialects import Summary
from ibex.proxy.reply import Reply
from ibex.proxy.request import Request
from ibex.tasks import BackgroundTask
from ibex.telemetry import StepClock
from ibex.traces import Trace, TraceLog

# What a call costs, in 1e-9 US dollars, from the model's name and the tokens of input, those of them that a
# cache had, and of output; None when nobody knows.
Cost = Callable[[str, int | None, int | None, int | None], int | None]

_LONGEST_CLIENT = 120
# Of a stream, some two hundred events, which are read in half a millisecond; more would hold up the loop.
_FEW_BYTES = 64 << 10
# Answers that are read before the loop goes on; a short one takes some 10 µs, and a turn of a busy loop ends
# several calls.
_AT_ONCE = 16
# Bytes of answers, and answers, that are kept until they are read, for when there is no time to. Of what
# comes on top the trace says nothing that only reading the answer would tell.
_MOST_UNREAD = 64 << 20
_MOST_WAITING = 20_000


class CallTraces:
    """Takes finished calls, each of which leaves its trace, once its answer was read; nobody waits for it."""

    def __init__(self, log: TraceLog, cost: Cost) -> None:
        self._log = log
        self._cost = cost
        self._unread: deque[tuple[Trace, Capture]] = deque()
        self._unread_bytes = 0
        self._wake = asyncio.Event()
        self._is_closing = False
        self._reader = BackgroundTask("answers", self._read_on)

    def start(self) -> None:
        self._reader.start()

    def add(
        self,
        request: Request,
        call: Call,
        progress: Progress,
        summary: Summary,
        reply: Reply,
        clock: StepClock,
        status: int,
    ) -> None:
        """Take a call; never waits."""
        trace = trace_of_call(request, call, progress, summary, reply, clock, status)
        usage, target = summary.usage, progress.target
        if target is not None and usage.source != "none":
            trace.cost_nano_usd = self._cost(target.model, usage.input, usage.cached, usage.output)
        size = progress.capture.size
        is_full = len(self._unread) >= _MOST_WAITING or self._unread_bytes + size > _MOST_UNREAD
        if size == 0 or is_full:
            self._log.add(trace)
            return
        self._unread.append((trace, progress.capture))
        self._unread_bytes += size
        self._wake.set()

    async def close(self, *, within: float) -> None:
        """Read what is left, for at most `within` seconds; what is not read by then is not read any more."""
        self._is_closing = True
        self._wake.set()
        await self._reader.stop(within=within)
        for trace, _ in self._unread:
            self._log.add(trace)
        self._unread.clear()

    async def _read_on(self) -> None:
        while not self._is_closing or self._unread:
            await self._wake.wait()
            while self._unread:
                for _ in range(min(_AT_ONCE, len(self._unread))):
                    await self._read_first()
                await asyncio.sleep(0)
            if not self._is_closing:
                self._wake.clear()

    async def _read_first(self) -> None:
        trace, capture = self._unread[0]
        if capture.size > _FEW_BYTES:
            await asyncio.to_thread(capture.said)
        self._unread.popleft()
        self._unread_bytes -= capture.size
        said = capture.said()
        trace.answer_chars, trace.tools = len(said.text), said.tools
        trace.refused = capture.is_refused()
        self._log.add(trace)


def trace_of_call(
    request: Request,
    call: Call,
    progress: Progress,
    summary: Summary,
    reply: Reply,
    clock: StepClock,
    status: int,
) -> Trace:
    """The trace of a call whose answer was not read yet, and whose cost nobody has looked up."""
    principal, usage, target, assembled = call.principal, summary.usage, progress.target, call.assembled
    receipt = assembled.receipt if assembled else None
    directive = receipt.directive if receipt else None
    told = assembled.told if assembled else ()
    client = request.headers.text(b"user-agent")
    return Trace(
        org_id=principal.org_id,
        id=call.request_id,
        trace_id=request.trace.trace_id,
        at=datetime.fromtimestamp(clock.started_ns / 1e9, UTC),
        agent_id=principal.agent_id,
        session_id=call.session_id,
        token_id=principal.token_id,
        user_id=call.user_id,
        operation=call.operation.name,
        provider=target.upstream.name if target else None,
        model=call.payload.model,
        model_served=summary.model,
        provider_fingerprint=summary.fingerprint,
        client=client[:_LONGEST_CLIENT].replace("\x00", "") if client else None,
        streamed=call.payload.streams,
        status=status,
        outcome=progress.outcome,
        error_code=progress.error_code,
        finish_reason=summary.finish_reason,
        attempts=progress.attempts,
        request_bytes=len(call.body),
        request_sha256=sha256(call.body).hexdigest(),
        response_bytes=progress.capture.size,
        response_sha256=progress.capture.hexdigest(),
        input_tokens=usage.input,
        cached_tokens=usage.cached,
        output_tokens=usage.output,
        usage_source=usage.source,
        cost_nano_usd=None,
        steps={step._value_: round((end - begin) * 1e3, 3) for step, begin, end in clock.laps},
        overhead_ms=round(reply.overhead * 1e3, 3),
        first_byte_ms=None if reply.first_byte is None else round(reply.first_byte * 1e3, 3),
        latency_ms=round(clock.elapsed() * 1e3, 3),
        rung=receipt.rung if receipt else None,
        directive_id=directive.id if directive else None,
        directive_number=directive.number if directive else None,
        memory_ids=tuple(memory.id for memory in told if memory.id is not None),
        answer_chars=None if progress.capture.size else 0,
        tools=(),
        refused=False,
    )
