"""Both engines of the store, with two organizations each."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio

from ibex.ids import uuid7
from ibex.traces.store import ClickHouseTraces, PostgresTraces, TraceStore
from ibex.traces.trace import Trace
from tests.clickhouse.fixtures import clickhouse, clickhouse_server, clickhouse_url
from tests.fixtures import Database
from tests.operator import Operator

__all__ = ["clickhouse", "clickhouse_server", "clickhouse_url"]

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


@dataclass(slots=True)
class Shelf:
    """A store, and two agents of an organization that it has traces of."""

    store: TraceStore = field(repr=False)
    org_id: UUID
    agent_id: UUID
    other_agent_id: UUID

    def trace(self, **fields: Any) -> Trace:
        return trace(self.org_id, fields.pop("agent_id", self.agent_id), **fields)

    async def put(self, *traces: Trace) -> None:
        await self.store.insert({self.org_id: traces})


def trace(org_id: UUID, agent_id: UUID, **fields: Any) -> Trace:
    """A call that went well."""
    request_id = fields.pop("id", None) or uuid7()
    usual: dict[str, Any] = {
        "trace_id": request_id.hex,
        "at": NOON,
        "session_id": "tuesday",
        "token_id": UUID(int=7),
        "user_id": "ada",
        "operation": "chat_completions",
        "provider": "openai",
        "model": "gpt-4o-mini",
        "model_served": "gpt-4o-mini-2024-07-18",
        "provider_fingerprint": "fp_1",
        "client": "openai-python/3.0",
        "streamed": True,
        "status": 200,
        "outcome": "ok",
        "error_code": None,
        "finish_reason": "stop",
        "attempts": 1,
        "request_bytes": 310,
        "request_sha256": "ab" * 32,
        "response_bytes": 1_024,
        "response_sha256": "cd" * 32,
        "input_tokens": 100,
        "cached_tokens": 40,
        "output_tokens": 20,
        "usage_source": "provider",
        "cost_nano_usd": 24_000,
        "steps": {"auth": 0.25, "context": 4.5, "provider": 250.0},
        "overhead_ms": 5.5,
        "first_byte_ms": 125.0,
        "latency_ms": 256.0,
        "rung": "complete",
        "directive_id": UUID(int=9),
        "directive_number": 3,
        "memory_ids": (UUID(int=1), UUID(int=2)),
        "answer_chars": 80,
        "tools": ("search", "search", "answer"),
        "refused": False,
    }
    return Trace(org_id=org_id, id=request_id, agent_id=agent_id, **{**usual, **fields})


@pytest.fixture(params=["postgres", "clickhouse"])
def store(request: pytest.FixtureRequest) -> TraceStore:
    """Each engine in turn."""
    if request.param == "clickhouse":
        return ClickHouseTraces(request.getfixturevalue("clickhouse"))
    operator: Operator = request.getfixturevalue("operator")
    return PostgresTraces(operator.postgres)


@pytest_asyncio.fixture
async def shelf(store: TraceStore, operator: Operator, database: Database) -> AsyncIterator[Shelf]:
    org_id = await operator.organization()
    helper = await operator.agent(org_id)
    other = await operator.create_agent(org_id, "Other", "other")
    yield Shelf(store, org_id, helper.id, other.id)
