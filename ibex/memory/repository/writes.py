"""The SQL that stores new memories and what comes of them for others; a set at a time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson
from psycopg.rows import class_row

from ibex.memory.repository import closings, embeddings
from ibex.memory.repository.partitions import PartitionKey, advance, matching
from ibex.memory.repository.rows import Changes, Conflict, NewRow, Relation, Version
from ibex.storage import Connection, Postgres


@dataclass(frozen=True, slots=True)
class Present:
    """A memory that is there, active or quarantined, and the hash that no other one may have."""

    id: UUID
    content_hash: bytes


_PRESENT = """
    SELECT id, content_hash
    FROM ibex.memories
    WHERE status IN ('active', 'quarantined')
        AND content_hash = ANY(%(hashes)s)
        AND partition_id =
"""
_PARTITION = "SELECT id FROM ibex.memory_partitions"


async def present(postgres: Postgres, key: PartitionKey, hashes: Sequence[bytes]) -> list[Present]:
    """Which texts a partition has, without its lock: a moment later there may be more."""
    condition, parameters = matching(key)
    return await postgres.fetch_all(
        key.org_id,
        f"{_PRESENT} ({_PARTITION} WHERE {condition})",
        {**parameters, "hashes": list(hashes)},
        row=class_row(Present),
    )


async def present_now(connection: Connection, partition_id: int, hashes: Sequence[bytes]) -> list[Present]:
    """Which texts a locked partition has."""
    async with connection.cursor(row_factory=class_row(Present)) as cursor:
        await cursor.execute(
            _PRESENT + "%(partition_id)s", {"partition_id": partition_id, "hashes": list(hashes)}
        )
        return await cursor.fetchall()


async def apply(
    connection: Connection, org_id: UUID, partition_id: int, actor: str, changes: Changes
) -> None:
    """Store a set of changes; for a locked partition, in a pipeline.

    Closings come before new memories: one of them may have the text of one that is closed.
    """
    if changes.closings:
        await closings.close(connection, actor, changes.closings)
    if changes.absorptions:
        await closings.absorb(connection, actor, changes.absorptions)
    if changes.rows:
        await _insert(connection, org_id, partition_id, changes.rows)
        await _insert_versions(connection, org_id, actor, changes.versions)
        await _insert_labels(connection, org_id, changes.rows)
    await _relate(connection, org_id, changes.relations, changes.broken)
    await _open_conflicts(connection, org_id, changes.conflicts)
    await _claim(connection, org_id, partition_id, changes.claims)
    if changes.embeddings and changes.model is not None:
        await embeddings.store(connection, org_id, partition_id, changes.model, changes.embeddings)
    changed = len(changes.rows) + len(changes.closings) + len(changes.absorptions)
    await advance(connection, partition_id, changed, changes.live)


async def _insert(connection: Connection, org_id: UUID, partition_id: int, rows: Sequence[NewRow]) -> None:
    await connection.execute(
        """
        INSERT INTO ibex.memories (
            org_id, partition_id, id, revision, version, agent_id, user_id, session_id, turn_id, role,
            speaker, trace_id, visibility, kind, status, content, content_hash, words, confidence, risk,
            pinned, tags, metadata, observed_at, valid_from, valid_until, helpful, unhelpful, uses,
            last_used_at, embedded_version
        )
        SELECT
            %(org_id)s, %(partition_id)s, id, revision, version, agent_id, user_id, session_id, turn_id, role,
            speaker, trace_id, visibility, kind, status, content, content_hash, array_to_tsvector(words),
            confidence, risk, pinned, tags, metadata, observed_at, valid_from, valid_until, helpful,
            unhelpful, uses, last_used_at, embedded_version
        FROM json_to_recordset(%(rows)s::json) AS row (
            id uuid, revision bigint, version integer, agent_id uuid, user_id text, session_id text,
            turn_id uuid, role text, speaker text, trace_id text, visibility text, kind text, status text,
            content text, content_hash bytea, words text[], confidence real, risk real, pinned boolean,
            tags text[], metadata jsonb, observed_at timestamptz, valid_from timestamptz,
            valid_until timestamptz, helpful real, unhelpful real, uses bigint, last_used_at timestamptz,
            embedded_version integer
        )
        """,
        {"org_id": org_id, "partition_id": partition_id, "rows": _json([_memory(row) for row in rows])},
    )


async def _insert_versions(
    connection: Connection, org_id: UUID, actor: str, versions: Sequence[Version]
) -> None:
    await connection.execute(
        """
        INSERT INTO ibex.memory_versions (
            org_id, memory_id, version, content, kind, status, confidence, pinned, tags, metadata, valid_from,
            valid_until, effective_from, actor, action
        )
        SELECT
            %(org_id)s, memory_id, version, content, kind, status, confidence, pinned, tags, metadata,
            valid_from, valid_until, effective_from, %(actor)s, action
        FROM json_to_recordset(%(rows)s::json) AS row (
            memory_id uuid, version integer, content text, kind text, status text, confidence real,
            pinned boolean, tags text[], metadata jsonb, valid_from timestamptz, valid_until timestamptz,
            effective_from timestamptz, action text
        )
        """,
        {"org_id": org_id, "actor": actor, "rows": _json([_version(each) for each in versions])},
    )


async def _insert_labels(connection: Connection, org_id: UUID, rows: Sequence[NewRow]) -> None:
    labels = [
        {"memory_id": row.memory.id, "label": label.name, "confidence": label.confidence}
        for row in rows
        for label in row.memory.labels
    ]
    if labels:
        await connection.execute(
            """
            INSERT INTO ibex.memory_labels (org_id, memory_id, label, confidence)
            SELECT %(org_id)s, memory_id, label, confidence
            FROM json_to_recordset(%(rows)s::json) AS row (memory_id uuid, label text, confidence real)
            """,
            {"org_id": org_id, "rows": _json(labels)},
        )


async def _relate(
    connection: Connection, org_id: UUID, added: Sequence[Relation], removed: Sequence[Relation]
) -> None:
    """Those that are broken go first: nothing is superseded twice."""
    if removed:
        await connection.execute(
            """
            DELETE FROM ibex.memory_relations AS relation
            USING unnest(%s::uuid[], %s::text[], %s::uuid[]) AS row (memory_id, kind, other_id)
            WHERE relation.memory_id = row.memory_id
                AND relation.kind = row.kind
                AND relation.other_id = row.other_id
            """,
            _columns(removed),
        )
    if added:
        await connection.execute(
            """
            INSERT INTO ibex.memory_relations (org_id, memory_id, kind, other_id)
            SELECT %s, memory_id, kind, other_id
            FROM unnest(%s::uuid[], %s::text[], %s::uuid[]) AS row (memory_id, kind, other_id)
            """,
            (org_id, *_columns(added)),
        )


async def _open_conflicts(connection: Connection, org_id: UUID, conflicts: Sequence[Conflict]) -> None:
    """Those of a text that has changed may have been resolved when it was another."""
    if conflicts:
        await connection.execute(
            """
            INSERT INTO ibex.memory_conflicts (org_id, id, memory_id, other_id, reason)
            SELECT %(org_id)s, id, memory_id, other_id, reason
            FROM json_to_recordset(%(rows)s::json) AS row (
                id uuid, memory_id uuid, other_id uuid, reason text
            )
            ON CONFLICT (org_id, memory_id, other_id) DO UPDATE SET status = 'open', resolved_at = NULL
            """,
            {"org_id": org_id, "rows": _json(conflicts)},
        )


async def _claim(
    connection: Connection, org_id: UUID, partition_id: int, claims: Sequence[tuple[UUID, bytes]]
) -> None:
    if claims:
        await connection.execute(
            """
            INSERT INTO ibex.memory_claims (org_id, partition_id, memory_id, claim)
            SELECT %s, %s, memory_id, claim FROM unnest(%s::uuid[], %s::bytea[]) AS row (memory_id, claim)
            """,
            (org_id, partition_id, [each[0] for each in claims], [each[1] for each in claims]),
        )


def _columns(relations: Sequence[Relation]) -> tuple[list[UUID], list[str], list[UUID]]:
    return (
        [each.memory_id for each in relations],
        [each.kind for each in relations],
        [each.other_id for each in relations],
    )


def _memory(row: NewRow) -> Mapping[str, Any]:
    memory, provenance = row.memory, row.memory.provenance
    return {
        "id": memory.id,
        "revision": row.revision,
        "version": memory.version,
        "agent_id": memory.agent_id,
        "user_id": memory.user_id,
        "session_id": memory.session_id,
        "turn_id": provenance.turn_id,
        "role": provenance.role,
        "speaker": provenance.speaker,
        "trace_id": provenance.trace_id,
        "visibility": memory.visibility,
        "kind": memory.kind,
        "status": memory.status,
        "content": memory.content,
        "content_hash": f"\\x{row.content_hash.hex()}",
        "words": row.words,
        "confidence": memory.confidence,
        "risk": memory.risk,
        "pinned": memory.pinned,
        "tags": memory.tags,
        "metadata": memory.metadata,
        "observed_at": memory.observed_at,
        "valid_from": memory.valid_from,
        "valid_until": memory.valid_until,
        "helpful": memory.helpful,
        "unhelpful": memory.unhelpful,
        "uses": memory.uses,
        "last_used_at": memory.last_used_at,
        "embedded_version": memory.version if memory.is_embedded else 0,
    }


def _version(version: Version) -> Mapping[str, Any]:
    memory = version.memory
    return {
        "memory_id": memory.id,
        "version": memory.version,
        "content": memory.content,
        "kind": memory.kind,
        "status": memory.status,
        "confidence": memory.confidence,
        "pinned": memory.pinned,
        "tags": memory.tags,
        "metadata": memory.metadata,
        "valid_from": memory.valid_from,
        "valid_until": memory.valid_until,
        "effective_from": version.effective_from,
        "action": version.action,
    }


def _json(rows: Sequence[Any]) -> str:
    """orjson knows dataclasses, ids and times."""
    return orjson.dumps(rows).decode()
