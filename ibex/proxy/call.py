"""One admitted call and how far it got."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from uuid import UUID

from ibex.auth import AgentPrincipal, Hold, Permission
from ibex.context import Assembled, ChatTurn
from ibex.errors import ErrorCode
from ibex.proxy.capture import Capture
from ibex.proxy.dialects import OPENAI, Interface, Summary
from ibex.proxy.idempotency import Reservation
from ibex.proxy.payload import Payload
from ibex.proxy.providers.calling import Target
from ibex.proxy.providers.failures import AttemptFailedError
from ibex.proxy.reply import Reply
from ibex.proxy.request import OperationName
from ibex.proxy.turns import Outcome, Turn
from ibex.telemetry import StepClock


@dataclass(frozen=True, slots=True)
class Operation:
    """A kind of call: its name in metrics, its path at a provider, what it needs, how it is read.

    `estimate` is how many tokens it may use, from the payload and the size of the body.
    """

    name: OperationName
    path: str
    permissions: Permission
    parse: Callable[[bytes], Payload]
    estimate: Callable[[Payload, int], int]
    has_session: bool
    interface: Interface = OPENAI


@dataclass(frozen=True, slots=True)
class Call:
    """What is asked, by whom, in which session; everything that was checked before a provider is called.

    Parameters
    ----------
    payload: what is sent: the client's, with its context once it has been given one.
    body: as it came from the client.
    turn, assembled: what its context was asked for with, and the context.
    """

    operation: Operation
    request_id: UUID
    principal: AgentPrincipal
    payload: Payload = field(repr=False)
    body: bytes = field(repr=False)
    session_id: str | None
    user_id: str | None
    turn: ChatTurn | None = None
    assembled: Assembled | None = None


@dataclass(slots=True)
class Progress:
    """How far a call got, for the record: it must be kept whatever ends the call, and wherever."""

    token_id: UUID | None = None
    principal: AgentPrincipal | None = None
    hold: Hold | None = None
    reservation: Reservation | None = None
    is_replay: bool = False
    target: Target | None = None
    attempts: int = 0
    failures: list[str] = field(default_factory=list)
    outcome: Outcome = "ok"
    error_code: ErrorCode | None = None
    capture: Capture = field(default_factory=Capture)

    def attempt(self, target: Target) -> None:
        """A provider is being called."""
        self.target = target
        self.attempts += 1

    def failed(self, target: Target, failure: AttemptFailedError) -> None:
        """The call came to nothing: kept in the words of an operator, `openai: rate_limited 429`."""
        status = f" {failure.status}" if failure.status is not None else ""
        key = f" (key of the {failure.key_owner})" if failure.key_owner != "installation" else ""
        self.failures.append(f"{target.upstream.name}: {failure.kind}{status}{key}")


def turn_of(
    call: Call, progress: Progress, summary: Summary, reply: Reply, clock: StepClock, status: int
) -> Turn:
    """The row that a call leaves in its session."""
    principal, usage, target = call.principal, summary.usage, progress.target
    return Turn(
        org_id=principal.org_id,
        id=call.request_id,
        agent_id=principal.agent_id,
        session_id=call.session_id or "",
        token_id=principal.token_id,
        user_id=call.user_id,
        at=datetime.fromtimestamp(clock.started_ns / 1e9, UTC),
        operation=call.operation.name,
        provider=target.upstream.name if target else None,
        model=call.payload.model,
        model_served=summary.model,
        streamed=call.payload.streams,
        status=status,
        outcome=progress.outcome,
        error_code=progress.error_code,
        finish_reason=summary.finish_reason,
        attempts=progress.attempts,
        request_bytes=len(call.body),
        request_sha256=f"\\x{sha256(call.body).hexdigest()}",
        response_bytes=progress.capture.size,
        response_sha256=f"\\x{progress.capture.hexdigest()}",
        input_tokens=usage.input,
        cached_tokens=usage.cached,
        output_tokens=usage.output,
        usage_source=usage.source,
        overhead_ms=reply.overhead * 1e3,
        first_byte_ms=None if reply.first_byte is None else reply.first_byte * 1e3,
        latency_ms=clock.elapsed() * 1e3,
    )
