"""The SQL that reads the memories of a partition which may matter whatever is asked."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from psycopg.rows import TupleRow, class_row, tuple_row

from ibex.memory.memory import Scope
from ibex.memory.repository.partitions import PartitionKey, matching, read_by_scope
from ibex.storage import Postgres

# Rank depends on more than time, but what is older than so many others rarely makes up for it.
_NEWEST = 200


@dataclass(frozen=True, slots=True)
class HotRow:
    """A memory as anybody with access to its partition may see it, and what ranks it."""

    id: UUID
    agent_id: UUID
    session_id: str | None
    role: str | None
    speaker: str | None
    kind: str
    content: str = field(repr=False)
    confidence: float
    pinned: bool
    observed_at: datetime
    valid_from: datetime | None
    valid_until: datetime | None
    usefulness: float
    uses: int

    def holds(self, at: datetime) -> bool:
        """Whether it is within the interval in which it holds."""
        return (self.valid_from is None or self.valid_from <= at) and (
            self.valid_until is None or self.valid_until > at
        )


@dataclass(frozen=True, slots=True)
class PartitionVersion:
    """Which state of a partition something shows."""

    epoch: int
    revision: int


async def version_of(postgres: Postgres, key: PartitionKey) -> PartitionVersion | None:
    """None when there is no such partition."""
    condition, parameters = matching(key)
    return await postgres.fetch_one(
        key.org_id,
        f"SELECT epoch, revision FROM ibex.memory_partitions WHERE {condition}",
        parameters,
        row=class_row(PartitionVersion),
    )


async def versions_of(postgres: Postgres, scope: Scope) -> dict[PartitionKey, PartitionVersion]:
    """Of the partitions that a scope reads, those that exist."""
    rows: list[TupleRow] = await postgres.fetch_all(
        scope.org_id,
        read_by_scope("agent_id, user_id, epoch, revision"),
        {"agent_id": scope.agent_id, "user_id": scope.user_id},
        row=tuple_row,
    )
    return {
        PartitionKey(scope.org_id, agent_id, user_id): PartitionVersion(epoch, revision)
        for agent_id, user_id, epoch, revision in rows
    }


async def hot_rows(postgres: Postgres, key: PartitionKey) -> list[HotRow]:
    """The newest live memories and pinned ones, without those that only a session may see.

    What holds no longer is left out; what holds not yet is not.
    """
    condition, parameters = matching(key)
    return await postgres.fetch_all(
        key.org_id,
        f"""
        WITH partition AS (SELECT org_id, id FROM ibex.memory_partitions WHERE {condition})
        SELECT
            memory.id, agent_id, session_id, role, speaker, kind, content, confidence, pinned, observed_at,
            valid_from, valid_until, helpful / (helpful + unhelpful) AS usefulness, uses
        FROM partition
        CROSS JOIN LATERAL (
            (
                SELECT newest.id FROM ibex.memories AS newest
                WHERE newest.org_id = partition.org_id
                    AND newest.partition_id = partition.id
                    AND newest.status = 'active'
                    AND newest.visibility <> 'session'
                    AND (newest.valid_until IS NULL OR newest.valid_until > now())
                ORDER BY newest.revision DESC
                LIMIT %(newest)s
            )
            UNION
            (
                SELECT pinned.id FROM ibex.memories AS pinned
                WHERE pinned.org_id = partition.org_id
                    AND pinned.partition_id = partition.id
                    AND pinned.status = 'active'
                    AND pinned.visibility <> 'session'
                    AND pinned.pinned
                    AND (pinned.valid_until IS NULL OR pinned.valid_until > now())
                ORDER BY pinned.revision DESC
                LIMIT %(newest)s
            )
        ) AS chosen
        JOIN ibex.memories AS memory ON memory.org_id = partition.org_id AND memory.id = chosen.id
        """,
        {**parameters, "newest": _NEWEST},
        row=class_row(HotRow),
    )
