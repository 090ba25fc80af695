"""The SQL that finds what a new statement may repeat, replace or contradict in a locked partition."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import numpy as np
import orjson
from numpy.typing import NDArray
from psycopg import sql
from psycopg.rows import class_row, tuple_row

from ibex.memory.memory import Kind, Status
from ibex.memory.repository.embeddings import spelled
from ibex.storage import Connection

# Of those that claim something about the same thing: as many that hold when the new one begins to, and as
# many that follow. A chain has one of each; more are there where many things may be true at once.
NEIGHBOURS = 32
# Texts above the threshold of near duplicates are few: each was compared when it was written. But turns and
# what was superseded may stand between.
_RESEMBLING = 16


@dataclass(frozen=True, slots=True)
class StandingStatement:
    """A statement that is there. `rival_to` is the new one that it was found for.

    cosine: of the two embeddings; None when it was found by its claims.
    superseded_by: the statement that took its place.
    """

    rival_to: UUID
    id: UUID
    content: str = field(repr=False)
    kind: Kind
    status: Status
    session_id: str | None
    role: str | None
    speaker: str | None
    observed_at: datetime
    valid_from: datetime | None
    valid_until: datetime | None
    pinned: bool
    helpful: float
    unhelpful: float
    uses: int
    last_used_at: datetime | None
    superseded_by: UUID | None
    cosine: float | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is sought for one new statement.

    Parameters
    ----------
    since: when it begins to hold.
    claims: digests of what it claims something about.
    vector: None when nothing that resembles it is sought.
    """

    id: UUID
    visibility: str
    session_id: str | None
    since: datetime
    claims: Sequence[bytes]
    vector: NDArray[np.float32] | None = field(repr=False)


_FOUND = sql.SQL("""
    SELECT
        memory.id, memory.content, memory.kind, memory.status, memory.session_id, memory.role, memory.speaker,
        memory.observed_at, memory.valid_from, memory.valid_until, memory.pinned, memory.helpful,
        memory.unhelpful, memory.uses, memory.last_used_at,
        (
            SELECT relation.memory_id FROM ibex.memory_relations AS relation
            WHERE relation.org_id = memory.org_id
                AND relation.other_id = memory.id
                AND relation.kind = 'supersedes'
        ) AS superseded_by
""")

_SAME_SCOPE = sql.SQL("""
    memory.visibility = wanted.visibility
    AND (wanted.visibility <> 'session' OR memory.session_id = wanted.session_id)
    AND (memory.valid_from IS NULL OR memory.valid_until IS NULL OR memory.valid_from < memory.valid_until)
""")

# As the statement itself says it (`Statement.holds`).
_SINCE = sql.SQL("""
    CASE
        WHEN memory.valid_from IS NOT NULL THEN memory.valid_from
        WHEN memory.valid_until IS NULL OR memory.observed_at < memory.valid_until THEN memory.observed_at
        ELSE '-infinity'::timestamptz
    END
""")

_SAME_CLAIM = sql.SQL("""
    {found}, {since} AS since
    FROM ibex.memory_claims AS claim
    JOIN ibex.memories AS memory ON memory.org_id = claim.org_id AND memory.id = claim.memory_id
    WHERE claim.partition_id = %(partition_id)s
        AND claim.claim = ANY(wanted.claims)
        AND memory.status IN ('active', 'superseded')
        AND {same_scope}
""").format(found=_FOUND, since=_SINCE, same_scope=_SAME_SCOPE)

_CLAIMING_RIVALS = sql.SQL("""
    SELECT DISTINCT
        wanted.id AS rival_to, rival.id, content, kind, status, rival.session_id, role, speaker, observed_at,
        valid_from, valid_until, pinned, helpful, unhelpful, uses, last_used_at, superseded_by,
        NULL::real AS cosine
    FROM json_to_recordset(%(wanted)s::json) AS wanted (
        id uuid, visibility text, session_id text, since timestamptz, claims bytea[]
    )
    CROSS JOIN LATERAL (
        (
            SELECT * FROM ({rivals}) AS held
            WHERE held.since <= wanted.since
                AND (held.valid_until IS NULL OR held.valid_until > wanted.since)
            ORDER BY held.since DESC
            LIMIT %(limit)s
        )
        UNION ALL
        (
            SELECT * FROM ({rivals}) AS following
            WHERE following.since > wanted.since
            ORDER BY following.since
            LIMIT %(limit)s
        )
    ) AS rival
""").format(rivals=_SAME_CLAIM)

_RESEMBLING_RIVALS = sql.SQL("""
    SELECT wanted.id AS rival_to, near.*
    FROM json_to_recordset(%(wanted)s::json) AS wanted (
        id uuid, visibility text, session_id text, memory_id uuid, cosine real
    )
    CROSS JOIN LATERAL (
        {found}, wanted.cosine
        FROM ibex.memories AS memory
        WHERE memory.id = wanted.memory_id
            AND memory.status = 'active'
            AND (memory.kind <> 'episodic' OR memory.session_id IS NULL)
            AND {same_scope}
    ) AS near
""").format(found=_FOUND, same_scope=_SAME_SCOPE)


async def claiming(
    connection: Connection, partition_id: int, wanted: Sequence[Wanted], most: int
) -> list[StandingStatement]:
    """Live and superseded statements with a claim about the same thing, around the time of each new one.

    At most so many that hold when it begins to, and as many that follow.
    """
    async with connection.cursor(row_factory=class_row(StandingStatement)) as cursor:
        await cursor.execute(
            _CLAIMING_RIVALS,
            {
                "partition_id": partition_id,
                "limit": most,
                "wanted": orjson.dumps([_wanted(each) for each in wanted]).decode(),
            },
        )
        return await cursor.fetchall()


async def resembling(
    connection: Connection, partition_id: int, model: int, above: float, wanted: Sequence[Wanted]
) -> list[StandingStatement]:
    """Live statements, turns of conversations left out, whose cosine with a new one is above a threshold.

    The nearest vectors come first, and from them the memories: most texts resemble nothing, and a join of the
    two would let the plan depend on statistics that a table does not have while it is being filled.
    """
    near = {
        (rival_to, memory_id): cosine
        for rival_to, memory_id, cosine in await _nearest(connection, partition_id, model, wanted)
        if cosine > above
    }
    if not near:
        return []
    async with connection.cursor(row_factory=class_row(StandingStatement)) as cursor:
        await cursor.execute(
            _RESEMBLING_RIVALS,
            {
                "wanted": orjson.dumps(
                    [
                        {**_wanted(each), "memory_id": memory_id, "cosine": cosine}
                        for each in wanted
                        for (rival_to, memory_id), cosine in near.items()
                        if rival_to == each.id
                    ]
                ).decode()
            },
        )
        return await cursor.fetchall()


async def successors(connection: Connection, ids: Sequence[UUID]) -> dict[UUID, UUID]:
    """Of some memories of a locked partition, those that took their place."""
    cursor = await connection.execute(
        """
        SELECT other_id, memory_id FROM ibex.memory_relations
        WHERE kind = 'supersedes' AND other_id = ANY(%s)
        """,
        (list(ids),),
    )
    return {row[0]: row[1] for row in await cursor.fetchall()}


async def _nearest(
    connection: Connection, partition_id: int, model: int, wanted: Sequence[Wanted]
) -> list[tuple[UUID, UUID, float]]:
    """Of each new one, the memories with the nearest vectors and their cosines; every vector is looked at."""
    async with connection.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(
            """
            SELECT wanted.id, near.memory_id, near.cosine
            FROM unnest(%(ids)s::uuid[], %(vectors)s::halfvec[]) AS wanted (id, vector)
            CROSS JOIN LATERAL (
                SELECT stored.memory_id, 1 - (stored.embedding <=> wanted.vector) AS cosine
                FROM ibex.memory_embeddings AS stored
                WHERE stored.partition_id = %(partition_id)s AND stored.model_id = %(model)s
                ORDER BY stored.embedding <=> wanted.vector
                LIMIT %(limit)s
            ) AS near
            """,
            {
                "partition_id": partition_id,
                "model": model,
                "limit": _RESEMBLING,
                "ids": [each.id for each in wanted],
                "vectors": [spelled(each.vector) for each in wanted if each.vector is not None],
            },
        )
        return await cursor.fetchall()


def _wanted(wanted: Wanted) -> dict[str, object]:
    return {
        "id": wanted.id,
        "visibility": wanted.visibility,
        "session_id": wanted.session_id,
        "since": wanted.since,
        "claims": [f"\\x{claim.hex()}" for claim in wanted.claims],
    }
