"""Two organizations with a marked row in every tenant table."""

from dataclasses import dataclass, field
from uuid import UUID

from psycopg import Connection, sql

from ibex.ids import uuid7

WRITTEN_BY_TRIGGERS = ("audit_chains",)
# Their rows hold ids and numbers only.
WITHOUT_TEXT = ("memory_relations", "memory_embeddings", "usage_months", "limit_notices")


@dataclass(frozen=True, slots=True)
class Tenant:
    """An organization whose every row carries `canary` somewhere."""

    canary: str
    id: UUID = field(default_factory=uuid7)
    agent_id: UUID = field(default_factory=uuid7)
    user_id: UUID = field(default_factory=uuid7)
    token_id: UUID = field(default_factory=uuid7)
    turn_id: UUID = field(default_factory=uuid7)
    memory_id: UUID = field(default_factory=uuid7)
    baseline_id: UUID = field(default_factory=uuid7)

    def rows(self) -> dict[str, dict[str, object]]:
        """Table → a row of this tenant, in an order that references allow."""
        return {
            "organizations": {"id": self.id, "slug": self.canary, "name": self.canary},
            "users": {"org_id": self.id, "id": self.user_id, "email": f"{self.canary}@example.org"},
            "agents": {"org_id": self.id, "id": self.agent_id, "slug": self.canary, "name": self.canary},
            "tokens": {
                "org_id": self.id,
                "id": self.token_id,
                "name": self.canary,
                "secret_hash": self.canary.encode().ljust(32, b"-"),
                "permissions": 1,
                "agent_id": self.agent_id,
            },
            "sessions": {
                "org_id": self.id,
                "agent_id": self.agent_id,
                "id": self.canary,
                "started_at": "now",
                "last_turn_at": "now",
            },
            "session_turns": {
                "org_id": self.id,
                "id": self.turn_id,
                "agent_id": self.agent_id,
                "session_id": self.canary,
                "token_id": self.token_id,
                "at": "now",
                "operation": "chat_completions",
                "streamed": False,
                "status": 200,
                "outcome": "ok",
                "attempts": 1,
                "request_bytes": 1,
                "request_sha256": b"-",
                "response_bytes": 1,
                "response_sha256": b"-",
                "usage_source": "none",
                "overhead_ms": 1.0,
                "latency_ms": 1.0,
            },
            "session_contents": {
                "org_id": self.id,
                "agent_id": self.agent_id,
                "session_id": self.canary,
                "turn_id": self.turn_id,
                "at": "now",
                "line": b"{}",
            },
            "session_archives": {
                "org_id": self.id,
                "object_key": self.canary,
                "agent_id": self.agent_id,
                "session_id": self.canary,
                "format": 1,
                "turns": 1,
                "first_turn_id": self.turn_id,
                "last_turn_id": self.turn_id,
                "first_at": "now",
                "last_at": "now",
                "content_bytes": 1,
                "object_bytes": 1,
                "object_sha256": b"-" * 32,
            },
            "traces": {
                "org_id": self.id,
                "id": self.turn_id,
                "trace_id": "0" * 32,
                "at": "now",
                "agent_id": self.agent_id,
                "token_id": self.token_id,
                "user_id": self.canary,
                "operation": "chat_completions",
                "model": self.canary,
                "streamed": False,
                "status": 200,
                "outcome": "ok",
                "attempts": 1,
                "request_bytes": 1,
                "request_sha256": b"-",
                "response_bytes": 1,
                "response_sha256": b"-",
                "usage_source": "none",
                "steps": "{}",
                "overhead_ms": 1.0,
                "latency_ms": 1.0,
                "memory_ids": [],
                "answer_chars": 0,
                "tools": [],
                "refused": False,
            },
            "usage_days": {
                "org_id": self.id,
                "day": "today",
                "agent_id": self.agent_id,
                "model": self.canary,
                "calls": 1,
                "errors": 0,
                "input_tokens": 0,
                "cached_tokens": 0,
                "output_tokens": 0,
                "cost_nano_usd": 0,
            },
            "usage_months": {
                "org_id": self.id,
                "month": "2030-01-01",
                "scope": "agent",
                "subject": self.agent_id,
                "requests": 1,
                "tokens": 2,
                "cost_nano_usd": 3,
            },
            "limit_notices": {
                "org_id": self.id,
                "since": "2030-01-01T00:00:00Z",
                "scope": "agent",
                "subject": self.agent_id,
                "dimension": "rate",
                "percent": 100,
            },
            "provider_credentials": {
                "org_id": self.id,
                "provider": self.canary,
                "sealed": b"-",
                "key_id": "key",
                "hint": "hint",
            },
            "limit_overrides": {
                "org_id": self.id,
                "id": uuid7(),
                "scope": "end_user",
                "subject": self.canary,
                "requests_per_minute": 1,
            },
            **self._memory_rows(),
            "directives": {
                "org_id": self.id,
                "id": uuid7(),
                "agent_id": self.agent_id,
                "content": self.canary,
                "mode": "system_first",
                "change_summary": self.canary,
                "created_by": "test",
                "status": "draft",
            },
            "context_receipts": {
                "org_id": self.id,
                "id": uuid7(),
                "trace_id": "0" * 32,
                "agent_id": self.agent_id,
                "session_id": self.canary,
                "at": "now",
                "receipt": "{}",
            },
            **self._drift_rows(),
            "dead_letters": {
                "org_id": self.id,
                "id": uuid7(),
                "name": self.canary,
                "job_id": self.canary,
                "payload": self.canary.encode(),
                "keys": [self.canary],
                "tries": 1,
                "error": self.canary,
                "first_failed_at": "now",
                "died_at": "now",
            },
            "outbox": {
                "org_id": self.id,
                "id": uuid7(),
                "type": self.canary,
                "at": "now",
                "data": "{}",
            },
            **self._webhook_rows(),
            "audit_events": {
                "org_id": self.id,
                "id": uuid7(),
                "actor": "test",
                "action": self.canary,
                "outcome": "success",
            },
        }

    def _webhook_rows(self) -> dict[str, dict[str, object]]:
        webhook_id, delivery_id = uuid7(), uuid7()
        return {
            "webhooks": {"org_id": self.id, "id": webhook_id, "url": f"https://{self.canary}/"},
            "webhook_secrets": {
                "org_id": self.id,
                "webhook_id": webhook_id,
                "id": uuid7(),
                "sealed": b"-",
                "key_id": self.canary,
            },
            "webhook_deliveries": {
                "org_id": self.id,
                "id": delivery_id,
                "webhook_id": webhook_id,
                "event_id": uuid7(),
                "type": self.canary,
                "at": "now",
                "data": "{}",
                "due_at": "now",
            },
            "webhook_attempts": {
                "org_id": self.id,
                "delivery_id": delivery_id,
                "number": 1,
                "at": "now",
                "duration_ms": 1.0,
                "error": self.canary,
            },
        }

    def _drift_rows(self) -> dict[str, dict[str, object]]:
        watched = {"org_id": self.id, "agent_id": self.agent_id, "directive_number": 0}
        told = f'{{"text": "{self.canary}"}}'
        return {
            "drift_baselines": {
                **watched,
                "id": self.baseline_id,
                "calls": 1_000,
                "first_at": "now",
                "last_at": "now",
                "created_by": self.canary,
                "data": told,
            },
            "drift_detectors": {**watched, "baseline_id": self.baseline_id, "recent": told},
            "drift_blocks": {
                **watched,
                "number": 1,
                "first_at": "now",
                "last_at": "now",
                "observations": told,
            },
            "drift_fingerprints": {
                **watched,
                "id": uuid7(),
                "call": 10,
                "calls": 10,
                "at": "now",
                "data": told,
            },
            "drift_alerts": {
                **watched,
                "id": uuid7(),
                "baseline_id": self.baseline_id,
                "severity": "low",
                "features": "[]",
                "causes": told,
                "first_seen_at": "now",
                "first_call": 1,
                "found_call": 10,
                "suspended_agent": False,
            },
        }

    def _memory_rows(self) -> dict[str, dict[str, object]]:
        # The number of a partition is the database's own choice.
        partition = sql.SQL(
            "(SELECT id FROM ibex.memory_partitions WHERE user_id = {} ORDER BY id DESC LIMIT 1)"
        ).format(sql.Literal(self.canary))
        belongs = {"org_id": self.id, "memory_id": self.memory_id}
        return {
            "memory_partitions": {"org_id": self.id, "agent_id": self.agent_id, "user_id": self.canary},
            "memories": {
                "org_id": self.id,
                "id": self.memory_id,
                "partition_id": partition,
                "revision": 1,
                "agent_id": self.agent_id,
                "user_id": self.canary,
                "visibility": "agent",
                "kind": "factual",
                "status": "active",
                "content": self.canary,
                "content_hash": self.canary.encode().ljust(32, b"-"),
                "words": self.canary,
                "confidence": 1.0,
                "observed_at": "now",
            },
            "memory_versions": {
                **belongs,
                "version": 1,
                "content": self.canary,
                "kind": "factual",
                "status": "active",
                "confidence": 1.0,
                "pinned": False,
                "tags": [],
                "metadata": "{}",
                "effective_from": "now",
                "actor": "test",
                "action": "memory.create",
            },
            "memory_labels": {**belongs, "label": self.canary, "confidence": 1.0},
            "memory_claims": {
                **belongs,
                "partition_id": partition,
                "claim": self.canary.encode().ljust(16, b"-")[:16],
            },
            "memory_relations": {**belongs, "kind": "derives_from", "other_id": self.memory_id},
            "memory_conflicts": {
                **belongs,
                "id": uuid7(),
                "other_id": self.memory_id,
                "reason": self.canary,
            },
            "memory_feedback": {
                **belongs,
                "id": uuid7(),
                "signal": "helpful",
                "weight": 1.0,
                "source": self.canary,
                "actor": "test",
            },
            "memory_erasures": {**belongs, "id": uuid7(), "actor": self.canary, "erased": "{}"},
            "memory_embeddings": {
                **belongs,
                "model_id": 1,
                "partition_id": partition,
                "version": 1,
                "embedding": str([1.0] + [0.0] * 383),
            },
        }

    def tables(self) -> list[str]:
        """Every table in which it has a row, those included that triggers write."""
        return [*self.rows(), *WRITTEN_BY_TRIGGERS]

    def marked(self) -> set[str]:
        """Those whose rows carry the canary."""
        return {*self.rows()} - {*WITHOUT_TEXT}

    def insert(self, connection: Connection) -> None:
        # The trigger that chains the audit reads the chain of the organization that is set.
        connection.execute("SELECT set_config('app.current_org_id', %s, false)", (str(self.id),))
        for table, row in self.rows().items():
            insert(connection, table, row)


def insert(connection: Connection, table: str, row: dict[str, object]) -> None:
    connection.execute(
        sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
            sql.Identifier("ibex", table),
            sql.SQL(", ").join(map(sql.Identifier, row)),
            sql.SQL(", ").join(
                value if isinstance(value, sql.Composable) else sql.Placeholder() for value in row.values()
            ),
        ),
        [value for value in row.values() if not isinstance(value, sql.Composable)],
    )
