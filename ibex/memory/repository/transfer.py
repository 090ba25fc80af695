"""The SQL that only exports and imports need."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from psycopg.rows import class_row, tuple_row

from ibex.storage import Connection, Postgres


@dataclass(frozen=True, slots=True)
class StoredRelation:
    """A memory and an earlier one of which it takes the place, or from which it derives."""

    memory_id: UUID
    kind: str
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
        """
        SELECT relation.memory_id, relation.kind, relation.other_id
        FROM ibex.memory_relations AS relation
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
            AND (
                %(memory_id)s::uuid IS NULL
                OR (relation.memory_id, relation.kind, relation.other_id)
                    > (%(memory_id)s::uuid, %(kind)s::text, %(other_id)s::uuid)
            )
        ORDER BY relation.memory_id, relation.kind, relation.other_id
        LIMIT %(limit)s
        """,
        {
            "agent_id": agent_id,
            "user_id": user_id,
            "memory_id": None if after is None else after.memory_id,
            "kind": None if after is None else after.kind,
            "other_id": None if after is None else after.other_id,
            "limit": limit,
        },
        row=class_row(StoredRelation),
    )


async def existing(connection: Connection, ids: Sequence[UUID]) -> set[UUID]:
    """Those of some ids that memories of the organization have, whatever their status."""
    cursor = await connection.execute("SELECT id FROM ibex.memories WHERE id = ANY(%s)", (list(ids),))
    return {row[0] for row in await cursor.fetchall()}


async def relate(
    postgres: Postgres, org_id: UUID, agent_id: UUID | None, wanted: Sequence[StoredRelation]
) -> int:
    """Relate memories that are there and of the agent, unless they are related already; how many were not."""
    return await postgres.execute(
        org_id,
        """
        INSERT INTO ibex.memory_relations (org_id, memory_id, kind, other_id)
        SELECT %(org_id)s, wanted.memory_id, wanted.kind, wanted.other_id
        FROM unnest(%(memory_ids)s::uuid[], %(kinds)s::text[], %(other_ids)s::uuid[])
            AS wanted (memory_id, kind, other_id)
        JOIN ibex.memories AS memory ON memory.id = wanted.memory_id
        JOIN ibex.memories AS other ON other.id = wanted.other_id
        WHERE wanted.memory_id <> wanted.other_id
            AND other.status <> 'active'
            AND (
                %(agent_id)s::uuid IS NULL
                OR memory.agent_id = %(agent_id)s AND other.agent_id = %(agent_id)s
            )
        ON CONFLICT DO NOTHING
        """,
        {
            "org_id": org_id,
            "agent_id": agent_id,
            "memory_ids": [each.memory_id for each in wanted],
            "kinds": [each.kind for each in wanted],
            "other_ids": [each.other_id for each in wanted],
        },
    )
