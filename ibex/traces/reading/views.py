"""What is shown of one trace."""

from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from typing import Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from ibex.traces.trace import Trace

_ID = "01a20747-50c2-7a10-8d21-5f0b6c9e1a34"
AGENT_ID = "01a20747-2b1c-7f0e-9d53-3a4c1f2b6e70"
_NANO = 1_000_000_000
EXAMPLE: dict[str, JsonValue] = {
    "id": _ID,
    "trace_id": "01a2074750c27a108d215f0b6c9e1a34",
    "at": "2030-01-31T12:00:00.123456Z",
    "agent_id": AGENT_ID,
    "session_id": "tuesday",
    "token_id": "01a20747-1f00-7d7c-b7c1-2d3c4b5a6978",
    "user_id": "ada",
    "operation": "chat_completions",
    "provider": "openai",
    "model": "gpt-4o-mini",
    "model_served": "gpt-4o-mini-2024-07-18",
    "provider_fingerprint": "fp_44709d6fcb",
    "client": "OpenAI/Python 3.0.0",
    "streamed": True,
    "status": 200,
    "outcome": "ok",
    "error_code": None,
    "finish_reason": "stop",
    "attempts": 1,
    "request_bytes": 310,
    "request_sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "response_bytes": 1024,
    "response_sha256": "9bf24053803b14d4e17d97adc117d609bb7d18e3272276a4544aae791418c1bc",
    "input_tokens": 1200,
    "cached_tokens": 1024,
    "output_tokens": 96,
    "usage_source": "provider",
    "cost_usd": 0.0001608,
    "steps_ms": {"auth": 0.08, "limits": 0.4, "context": 6.1, "provider": 412.5},
    "overhead_ms": 7.2,
    "first_byte_ms": 398.1,
    "latency_ms": 1204.5,
    "rung": "complete",
    "directive_id": "01a20747-6a01-7c55-9b2e-1d4f8a7c3e90",
    "directive_number": 3,
    "memory_ids": ["01a20747-378d-70c7-a843-85766e82a988"],
    "answer_chars": 412,
    "tools": ["search"],
    "refused": False,
}


class TraceView(BaseModel):
    """One call: ids, sizes, times and names; never what anybody said."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    id: UUID = Field(description="The request's, as in `X-Request-ID`.")
    trace_id: str = Field(description="As in `X-Trace-ID`; calls of one trace share it.")
    at: datetime = Field(description="When the request arrived.")
    agent_id: UUID
    session_id: str | None
    token_id: UUID
    user_id: str | None
    operation: str
    provider: str | None = Field(description="The one that answered, else the last that was asked.")
    model: str = Field(description="As it was asked for.")
    model_served: str | None = Field(description="As the provider named what answered.")
    provider_fingerprint: str | None = Field(
        description="What the provider says of the configuration behind its model."
    )
    client: str | None = Field(description="The `User-Agent`, cut.")
    streamed: bool
    status: int = Field(description="499 when the client left before an answer began.")
    outcome: str = Field(description="`ok`, `client_gone`, `failed`, `broken` or `cancelled`.")
    error_code: str | None
    finish_reason: str | None
    attempts: int
    request_bytes: int
    request_sha256: str
    response_bytes: int
    response_sha256: str
    input_tokens: int | None = Field(description="All that were read, those from a cache among them.")
    cached_tokens: int | None
    output_tokens: int | None
    usage_source: str
    cost_usd: float | None = Field(description="In US dollars; null when price or usage is not known.")
    steps_ms: Mapping[str, float] = Field(description="Milliseconds in each step.")
    overhead_ms: float = Field(description="What IBEX took by itself until the answer began.")
    first_byte_ms: float | None
    latency_ms: float = Field(description="Of the whole call, from its arrival.")
    rung: str | None = Field(description="How much of its context the call got.")
    directive_id: UUID | None
    directive_number: int | None
    memory_ids: list[UUID] = Field(description="Memories that the model was told.")
    answer_chars: int | None = Field(
        description="Null when there was no time to read the answer; `tools` and `refused` say nothing then."
    )
    tools: list[str] = Field(description="Tools that the answer calls, in order.")
    refused: bool

    @classmethod
    def of(cls, trace: Trace) -> Self:
        return cls.model_validate(shown(trace))


def shown(trace: Trace) -> dict[str, object]:
    """The fields of a trace, by the names and in the order in which they are shown."""
    values = {field.name: getattr(trace, field.name) for field in fields(trace)}
    values |= {"cost_usd": dollars(trace.cost_nano_usd), "steps_ms": trace.steps}
    return {name: values[name] for name in TraceView.model_fields}


def dollars(nano: int | None) -> float | None:
    """From 1e-9 US dollars."""
    return None if nano is None else nano / _NANO
