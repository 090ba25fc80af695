"""Chains for tests: written by the real trigger, tampered with as only a superuser can."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import psycopg

from ibex.auth import Actor, AuditEvent
from ibex.auth.audit import AuditService, Head, Selection, StoredEvent, record
from tests.fixtures import Database
from tests.operator import Operator


class Chain:
    """One organization's audit."""

    def __init__(self, operator: Operator, database: Database, org_id: UUID) -> None:
        self.operator = operator
        self.database = database
        self.org_id = org_id
        self.audit = AuditService(operator.postgres)

    async def write(self, count: int, action: str = "agent.pause", **detail: str | int) -> None:
        """Add events, each in a transaction of its own."""
        actor = Actor.local(self.org_id, "cli")
        for number in range(count):
            async with self.operator.postgres.transaction(self.org_id) as connection:
                await record(connection, AuditEvent.of(actor, action, f"target-{number}", **detail))

    @contextmanager
    def tampering(self) -> Iterator[psycopg.Connection]:
        """A superuser who has put every guard of the table out of action."""
        with psycopg.connect(self.database.superuser_dsn) as connection:
            connection.execute("SET session_replication_role = replica")
            yield connection

    def tamper(self, statement: str) -> None:
        with self.tampering() as connection:
            assert connection.execute(statement.encode()).rowcount > 0

    async def newest(self, count: int) -> list[StoredEvent]:
        return await self.audit.page(self.org_id, None, count, Selection())

    async def broken_at(self, head: str | None = None) -> int | None:
        """The number at which verification stops; None when the chain is intact."""
        verdict = await self.audit.verify(self.org_id, Head.parse(head) if head else None)
        return verdict.damage.number if verdict.damage else None
