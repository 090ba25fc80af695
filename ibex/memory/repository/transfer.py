"""The SQL that only exports and imports need."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, LiteralString
from uuid import UUID

from psycopg.rows import class_row, scalar_row, tuple_row

from ibex.ids import uuid7
from ibex.memory.repository.partitions import LockedPartition, PartitionKey
from ibex.storage import Connection, Postgres

RelationKind = Literal["supersedes", "merges", "derives_from", "contradicts"]

_CONTRADICTED = "They contradicted each other where they come from, and nobody had said which of them holds."


@dataclass(frozen=True, slots=True)
class StoredRelation:
    """A memory and another one: whose place it takes, from which it derives, or which it contradicts."""

    memory_id: UUID
    kind: RelationKind
    other_id: UUID


async def slugs(postgres: Postgres, org_id: UUID) -> Mapping[UUID, str]:
    """The slugs of an organization's agents."""
    return dict(await postgres.fetch_all(org_id, "SELECT id, slug FROM ibex.agents", row=tuple_row))


async def relations(
    postgres: Postgres,
    org_id: UUID,
    agent_id: UUID | None,
    user_id: str | None,
    after: StoredRelation | None,
    limit: int,
) -> list[StoredRelation]:
    """In the order of their keys; only between memories that are neither deleted nor in quarantine."""
    return await postgres.fetch_all(
        org_id,
        f"""
        SELECT relation.memory_id, relation.kind, relation.other_id
        FROM ibex.memory_relations AS relation
        {_BETWEEN_EXPORTED}
            AND (
                %(memory_id)s::uuid IS NULL
                OR (relation.memory_id, relation.kind, relation.other_id)
                    > (%(memory_id)s::uuid, %(kind)s::text, %(other_id)s::uuid)
            )
        ORDER BY relation.memory_id, relation.kind, relation.other_id
        LIMIT %(limit)s
        """,
        {"agent_id": agent_id, "user_id": user_id, **_position(after), "limit": limit},
        row=class_row(StoredRelation),
    )


async def contradictions(
    postgres: Postgres,
    org_id: UUID,
    agent_id: UUID | None,
    user_id: str | None,
    after: StoredRelation | None,
    limit: int,
) -> list[StoredRelation]:
    """As `relations`, of the conflicts that are open."""
    return await postgres.fetch_all(
        org_id,
        f"""
        SELECT relation.memory_id, 'contradicts' AS kind, relation.other_id
        FROM ibex.memory_conflicts AS relation
        {_BETWEEN_EXPORTED}
            AND relation.status = 'open'
            AND (
                %(memory_id)s::uuid IS NULL
                OR (relation.memory_id, relation.other_id) > (%(memory_id)s::uuid, %(other_id)s::uuid)
            )
        ORDER BY relation.memory_id, relation.other_id
        LIMIT %(limit)s
        """,
        {"agent_id": agent_id, "user_id": user_id, **_position(after), "limit": limit},
        row=class_row(StoredRelation),
    )


_BETWEEN_EXPORTED: LiteralString = """
    JOIN ibex.memories AS memory ON memory.org_id = relation.org_id AND memory.id = relation.memory_id
    JOIN ibex.memories AS other ON other.org_id = relation.org_id AND other.id = relation.other_id
    WHERE NOT memory.status = ANY('{deleted,quarantined}')
        AND NOT other.status = ANY('{deleted,quarantined}')
        AND (
            %(agent_id)s::uuid IS NULL
            OR memory.agent_id = %(agent_id)s AND other.agent_id = %(agent_id)s
        )
        AND (
            %(user_id)s::text IS NULL
            OR memory.user_id = %(user_id)s AND other.user_id = %(user_id)s
        )
"""


def _position(after: StoredRelation | None) -> dict[str, object]:
    return {
        "memory_id": None if after is None else after.memory_id,
        "kind": None if after is None else after.kind,
        "other_id": None if after is None else after.other_id,
    }


async def existing(connection: Connection, ids: Sequence[UUID]) -> set[UUID]:
    """Those of some ids that memories of the organization have, whatever their status."""
    cursor = await connection.execute("SELECT id FROM ibex.memories WHERE id = ANY(%s)", (list(ids),))
    return {row[0] for row in await cursor.fetchall()}


async def lock_all(
    connection: Connection, org_id: UUID, keys: Sequence[PartitionKey]
) -> dict[PartitionKey, LockedPartition]:
    """Lock partitions, made if need be, in the order of their numbers, in which others lock several too."""
    wanted = {
        "org_id": org_id,
        "agent_ids": [key.agent_id for key in keys],
        "user_ids": [key.user_id for key in keys],
    }
    await connection.execute(
        f"""
        INSERT INTO ibex.memory_partitions (org_id, agent_id, user_id)
        SELECT %(org_id)s, wanted.agent_id, wanted.user_id
        FROM {_KEYS}
        WHERE NOT EXISTS (SELECT FROM ibex.memory_partitions AS partition WHERE {_IS_WANTED})
        ORDER BY wanted.agent_id, wanted.user_id
        ON CONFLICT DO NOTHING
        """,
        wanted,
    )
    cursor = await connection.execute(
        f"""
        SELECT partition.id, partition.revision, partition.live, now(), partition.agent_id, partition.user_id
        FROM ibex.memory_partitions AS partition
        WHERE EXISTS (SELECT FROM {_KEYS} WHERE {_IS_WANTED})
        ORDER BY partition.id
        FOR UPDATE
        """,
        wanted,
    )
    return {
        PartitionKey(org_id, agent_id, user_id): LockedPartition(number, revision, live, now)
        for number, revision, live, now, agent_id, user_id in await cursor.fetchall()
    }


_KEYS: LiteralString = "unnest(%(agent_ids)s::uuid[], %(user_ids)s::text[]) AS wanted (agent_id, user_id)"
# The nil UUID and the empty text are no agent and no end user: unlike nulls they can be hashed.
_IS_WANTED: LiteralString = """
    coalesce(partition.agent_id, '00000000-0000-0000-0000-000000000000')
        = coalesce(wanted.agent_id, '00000000-0000-0000-0000-000000000000')
    AND coalesce(partition.user_id, '') = coalesce(wanted.user_id, '')
"""


async def erased(postgres: Postgres, org_id: UUID, ids: Sequence[UUID]) -> set[UUID]:
    """Those of some ids that memories had which were erased for good."""
    return set(
        await postgres.fetch_all(
            org_id,
            "SELECT memory_id FROM ibex.memory_erasures WHERE memory_id = ANY(%s)",
            (list(ids),),
            row=scalar_row,
        )
    )


async def relate(
    postgres: Postgres, org_id: UUID, agent_id: UUID | None, wanted: Sequence[StoredRelation]
) -> None:
    """Relate memories that are there and of the agent, unless they are related already.

    Only such as the service itself would relate: of one end user, and of one partition unless one derives
    from the other.
    """
    parameters = {
        "org_id": org_id,
        "agent_id": agent_id,
        "ids": [uuid7() for _ in wanted],
        "memory_ids": [each.memory_id for each in wanted],
        "kinds": [each.kind for each in wanted],
        "other_ids": [each.other_id for each in wanted],
        "reason": _CONTRADICTED,
    }
    async with postgres.transaction(org_id) as connection:
        await connection.execute(
            f"""
            INSERT INTO ibex.memory_relations (org_id, memory_id, kind, other_id)
            SELECT %(org_id)s, wanted.memory_id, wanted.kind, wanted.other_id
            {_WANTED}
                AND (
                    wanted.kind = 'derives_from'
                    OR wanted.kind IN ('supersedes', 'merges')
                        AND memory.partition_id = other.partition_id
                        AND other.status <> 'active'
                )
            ON CONFLICT DO NOTHING
            """,
            parameters,
        )
        await connection.execute(
            f"""
            INSERT INTO ibex.memory_conflicts (org_id, id, memory_id, other_id, reason)
            SELECT %(org_id)s, wanted.id, wanted.memory_id, wanted.other_id, %(reason)s
            {_WANTED}
                AND wanted.kind = 'contradicts'
                AND memory.partition_id = other.partition_id
                AND memory.status = 'active'
                AND other.status = 'active'
            ON CONFLICT DO NOTHING
            """,
            parameters,
        )


_WANTED: LiteralString = """
    FROM unnest(%(ids)s::uuid[], %(memory_ids)s::uuid[], %(kinds)s::text[], %(other_ids)s::uuid[])
        AS wanted (id, memory_id, kind, other_id)
    JOIN ibex.memories AS memory ON memory.id = wanted.memory_id
    JOIN ibex.memories AS other ON other.id = wanted.other_id
    WHERE wanted.memory_id <> wanted.other_id
        AND memory.user_id IS NOT DISTINCT FROM other.user_id
        AND (
            %(agent_id)s::uuid IS NULL
            OR memory.agent_id = %(agent_id)s AND other.agent_id = %(agent_id)s
        )
"""
