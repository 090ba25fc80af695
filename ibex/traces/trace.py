"""One record of each call: what it was, what it was told, what came of it and what it cost."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(slots=True)
class Trace:
    """One call: ids, sizes, hashes, times and names; never what anybody said.

    Not frozen: one is made for each call of every agent, and setting a frozen field takes four times as long.

    Parameters
    ----------
    id: the request's; it is what makes a trace that is told twice count once.
    trace_id: 32 hexadecimal digits; several calls may share it.
    at: when the request arrived, in UTC.
    session_id: None for what belongs to no conversation, such as embeddings.
    provider: the one that answered, else the last that was asked; None when none was.
    model, model_served: as the client asked for it, and as the provider named what answered.
    provider_fingerprint: what a provider says of the configuration behind its model.
    client: the client's `User-Agent`, cut.
    status: 499 when the client left before an answer began, 500 when the server was stopped.
    outcome: `ok`, `client_gone`, `failed` (before an answer began), `broken` (in the middle of one) or
        `cancelled` (by a stop of the server).
    request_sha256, response_sha256: 64 hexadecimal digits.
    input_tokens: everything that was read; `cached_tokens` is the part of it that a cache of the provider's
        had.
    usage_source: `provider`, `estimated` (the answer broke off and its pieces were counted) or `none`.
    cost_nano_usd: in 1e-9 US dollars; None when the price or the usage is not known.
    steps: milliseconds in each step of the pipeline that was reached.
    overhead_ms: what passed without waiting for the client or a provider, until the answer began.
    first_byte_ms, latency_ms: milliseconds from the request's arrival; `first_byte_ms` is None when nothing
        was answered.
    rung: of the ladder of context; None when no context was assembled.
    memory_ids: memories that the model was told.
    answer_chars: characters of text said to the user; None when there was an answer and no time to read it,
        and then `tools` and `refused` say nothing.
    tools: names of the tools that the answer calls, in their order.
    refused: whether the model, or a filter of its provider's, refused to answer.
    """

    org_id: UUID
    id: UUID
    trace_id: str
    at: datetime
    agent_id: UUID
    session_id: str | None
    token_id: UUID
    user_id: str | None
    operation: str
    provider: str | None
    model: str
    model_served: str | None
    provider_fingerprint: str | None
    client: str | None
    streamed: bool
    status: int
    outcome: str
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
    usage_source: str
    cost_nano_usd: int | None
    steps: dict[str, float]
    overhead_ms: float
    first_byte_ms: float | None
    latency_ms: float
    rung: str | None
    directive_id: UUID | None
    directive_number: int | None
    memory_ids: tuple[UUID, ...]
    answer_chars: int | None
    tools: tuple[str, ...]
    refused: bool
