"""The SQL that reads the memories of a partition which may matter whatever is asked."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from psycopg.rows import class_row

from ibex.memory.repository.partitions import PartitionKey, matching
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
    usefulness: float
    uses: int


@dataclass(frozen=True, slots=True)
class PartitionVersion:
    """Which state of a partition something shows; compares as older and newer."""

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


async def hot_rows(postgres: Postgres, key: PartitionKey) -> list[HotRow]:
    """The newest live memories and all pinned ones, without those that only a session may see."""
    condition, parameters = matching(key)
    return await postgres.fetch_all(
        key.org_id,
        f"""
        WITH partition AS (SELECT org_id, id FROM ibex.memory_partitions WHERE {condition})
        SELECT
            memory.id, agent_id, session_id, role, speaker, kind, content, confidence, pinned, observed_at,
            helpful / (helpful + unhelpful) AS usefulness, uses
        FROM partition
        CROSS JOIN LATERAL (
            (
                SELECT newest.id FROM ibex.memories AS newest
                WHERE newest.org_id = partition.org_id
                    AND newest.partition_id = partition.id
                    AND newest.status = 'active'
                    AND newest.visibility <> 'session'
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
                ORDER BY pinned.revision DESC
                LIMIT %(newest)s
            )
        ) AS chosen
        JOIN ibex.memories AS memory ON memory.org_id = partition.org_id AND memory.id = chosen.id
        """,
        {**parameters, "newest": _NEWEST},
        row=class_row(HotRow),
    )
