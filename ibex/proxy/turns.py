"""The record of a conversation: one append-only row per turn, written after the answer."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Literal
from uuid import UUID

from ibex.proxy import repository
from ibex.proxy.dialects import UsageSource
from ibex.storage import Postgres
from ibex.storage.write_behind import WriteBehind

# `failed` is before an answer began, `broken` in the middle of one; `cancelled` was by a stop of the server.
Outcome = Literal["ok", "client_gone", "failed", "broken", "cancelled"]


@dataclass(slots=True)
class Turn:
    """One call within a session: sizes and hashes of what was said, never the text.

    The fields are the columns of the table, by name; hashes are in Postgres's hexadecimal form. `id` is the
    request's id. Times are in milliseconds from the request's arrival; `first_byte_ms` is None when nothing
    was answered. `status` is 499 when the client left before an answer began, 500 when
    the server was stopped.
    """

    org_id: UUID
    id: UUID
    agent_id: UUID
    session_id: str
    token_id: UUID
    user_id: str | None
    at: datetime
    operation: str
    provider: str | None
    model: str
    model_served: str | None
    streamed: bool
    status: int
    outcome: Outcome
    error_code: str | None
    finish_reason: str | None
    attempts: int
    request_bytes: int
    request_sha256: str
    response_bytes: int
    response_sha256: str
    input_tokens: int | None
    cached_tokens: int | None
    output_tokens: int | None
    usage_source: UsageSource
    overhead_ms: float
    first_byte_ms: float | None
    latency_ms: float


class TurnLog(WriteBehind[Turn]):
    """Takes turns without waiting and stores them in batches, one transaction per organization."""

    def __init__(self, postgres: Postgres, *, capacity: int, dropped: Callable[[int], None]) -> None:
        async def write(turns: Sequence[Turn]) -> None:
            for org_id, group in groupby(sorted(turns, key=_org), key=_org):
                await repository.insert_turns(postgres, org_id, list(group))

        super().__init__(write, dropped=dropped, capacity=capacity)


def _org(turn: Turn) -> UUID:
    return turn.org_id
