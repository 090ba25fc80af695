"""Calls of one agent, as they are told to whoever watches it."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import numpy as np

from ibex.drift import DriftWatch
from ibex.ids import uuid7
from ibex.storage import Postgres
from ibex.traces.trace import Trace

_START = datetime(2030, 1, 31, 12, tzinfo=UTC)


@dataclass(slots=True)
class Caller:
    """Makes calls that resemble each other, one a second, each of a conversation of its own."""

    org_id: UUID
    agent_id: UUID
    seed: int = 1
    count: int = 0
    random: np.random.Generator = field(init=False)

    def __post_init__(self) -> None:
        self.random = np.random.default_rng(self.seed)

    def calls(self, number: int, **fields: Any) -> list[Trace]:
        """Some calls more; `fields` are those of `Trace` that are the same for all of them."""
        return [replace(self._call(), **fields) for _ in range(number)]

    def slow_calls(self, number: int, factor: float, **fields: Any) -> list[Trace]:
        return [replace(each, latency_ms=each.latency_ms * factor) for each in self.calls(number, **fields)]

    def _call(self) -> Trace:
        self.count += 1
        tokens = int(np.exp(self.random.normal(5.0, 0.8)))
        return Trace(
            org_id=self.org_id,
            id=uuid7(),
            trace_id="0" * 32,
            at=_START + timedelta(seconds=self.count),
            agent_id=self.agent_id,
            session_id=f"session-{self.count}",
            token_id=uuid7(),
            user_id=None,
            operation="chat_completions",
            provider="openai",
            model="model",
            model_served="model-1",
            provider_fingerprint=None,
            client="client/1",
            streamed=False,
            status=200,
            outcome="ok",
            error_code=None,
            finish_reason="stop",
            attempts=1,
            request_bytes=1,
            request_sha256="00",
            response_bytes=1,
            response_sha256="00",
            input_tokens=int(np.exp(self.random.normal(6.0, 0.5))),
            cached_tokens=None,
            output_tokens=tokens,
            usage_source="provider",
            cost_nano_usd=None,
            steps={},
            overhead_ms=1.0,
            first_byte_ms=None,
            latency_ms=float(np.exp(self.random.normal(7.0, 0.6))),
            rung=None,
            directive_id=None,
            directive_number=None,
            memory_ids=(),
            answer_chars=4 * tokens,
            tools=("search",) if self.random.random() < 0.3 else (),
            refused=False,
        )


async def watch(watching: DriftWatch, postgres: Postgres, org_id: UUID, traces: Sequence[Trace]) -> None:
    """Tell calls in batches of 64, as they are stored."""
    for start in range(0, len(traces), 64):
        async with postgres.transaction(org_id) as connection:
            await watching.observe(connection, org_id, traces[start : start + 64])
