"""Two organizations with a marked row in every tenant table."""

from dataclasses import dataclass, field
from uuid import UUID

from psycopg import Connection, sql

from ibex.ids import uuid7

WRITTEN_BY_TRIGGERS = ("audit_chains",)


@dataclass(frozen=True, slots=True)
class Tenant:
    """An organization whose every row carries `canary` somewhere."""

    canary: str
    id: UUID = field(default_factory=uuid7)
    agent_id: UUID = field(default_factory=uuid7)
    user_id: UUID = field(default_factory=uuid7)
    token_id: UUID = field(default_factory=uuid7)
    turn_id: UUID = field(default_factory=uuid7)

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
            "audit_events": {
                "org_id": self.id,
                "id": uuid7(),
                "actor": "test",
                "action": self.canary,
                "outcome": "success",
            },
        }

    def tables(self) -> list[str]:
        """Every table in which it has a row, those included that triggers write."""
        return [*self.rows(), *WRITTEN_BY_TRIGGERS]

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
            sql.SQL(", ").join(sql.Placeholder() * len(row)),
        ),
        list(row.values()),
    )
