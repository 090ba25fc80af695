"""One admitted call and how far it got."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal
from uuid import UUID

from ibex.auth import AgentPrincipal, Hold, Permission
from ibex.context import Assembled, ChatTurn
from ibex.errors import ErrorCode
from ibex.proxy.capture import Capture
from ibex.proxy.dialects import OPENAI, Interface
from ibex.proxy.idempotency import Reservation
from ibex.proxy.payload import Payload
from ibex.proxy.providers.calling import Target
from ibex.proxy.providers.failures import AttemptFailedError
from ibex.proxy.request import OperationName

# `failed` is before an answer began, `broken` in the middle of one; `cancelled` was by a stop of the server.
Outcome = Literal["ok", "client_gone", "failed", "broken", "cancelled"]


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
