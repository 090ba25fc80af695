"""Traces of calls that nobody has made."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from ibex.ids import uuid7
from ibex.traces import Trace


def trace(org_id: UUID, agent_id: UUID, **fields: Any) -> Trace:
    """One in which every field says something, unless told otherwise."""
    request_id = uuid7()
    return Trace(
        **{
            "org_id": org_id,
            "id": request_id,
            "trace_id": request_id.hex,
            "at": datetime(2026, 1, 31, 23, 59, 59, tzinfo=UTC),
            "agent_id": agent_id,
            "session_id": "session",
            "token_id": uuid7(),
            "user_id": "user",
            "operation": "chat_completions",
            "provider": "openai",
            "model": "large",
            "model_served": "large-1",
            "provider_fingerprint": "fp_1",
            "client": "agent/1.0",
            "streamed": True,
            "status": 200,
            "outcome": "ok",
            "error_code": "NONE",
            "finish_reason": "stop",
            "attempts": 1,
            "request_bytes": 2,
            "request_sha256": "01" * 32,
            "response_bytes": 3,
            "response_sha256": "02" * 32,
            "input_tokens": 40,
            "cached_tokens": 5,
            "output_tokens": 6,
            "usage_source": "provider",
            "cost_nano_usd": 7_000,
            "steps": {"auth": 0.5, "provider": 1.25},
            "overhead_ms": 7.0,
            "first_byte_ms": 8.0,
            "latency_ms": 9.0,
            "rung": "complete",
            "directive_id": uuid7(),
            "directive_number": 3,
            "memory_ids": (uuid7(), uuid7()),
            "answer_chars": 11,
            "tools": ("search", "open"),
            "refused": False,
            **fields,
        }
    )
