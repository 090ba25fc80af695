"""Memories that are there, put into the tables as the writer would leave them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from uuid import UUID

import numpy as np
import orjson
from numpy.typing import NDArray

from ibex.ids import uuid7
from ibex.memory.repository import partitions
from ibex.memory.repository.embeddings import spelled
from ibex.memory.repository.partitions import PartitionKey
from ibex.memory.retrieval.tokenizer import Tokenizer
from ibex.storage import Postgres

NOON = datetime(2024, 5, 7, 12, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Stored:
    """A memory of a test."""

    content: str
    agent_id: UUID
    user_id: str | None = None
    session_id: str | None = None
    visibility: str = "agent"
    kind: str = "factual"
    status: str = "active"
    confidence: float = 1.0
    pinned: bool = False
    tags: Sequence[str] = ()
    labels: Sequence[str] = ()
    observed_at: datetime = NOON
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    vector: NDArray[np.float32] | None = None
    id: UUID = field(default_factory=uuid7)


async def store(postgres: Postgres, org_id: UUID, *memories: Stored, model: int = 1) -> None:
    """All of one partition in one transaction, as `MemoryWriter` does."""
    by_partition: dict[PartitionKey, list[Stored]] = {}
    for memory in memories:
        agent_id = None if memory.visibility == "org" else memory.agent_id
        by_partition.setdefault(PartitionKey(org_id, agent_id, memory.user_id), []).append(memory)
    for key, group in by_partition.items():
        async with postgres.transaction(org_id) as connection:
            partition = await partitions.lock(connection, key)
            parameters = {
                "org_id": org_id,
                "partition_id": partition.id,
                "revision": partition.revision,
                "model": model,
                "rows": orjson.dumps([_row(memory) for memory in group]).decode(),
            }
            for statement in _STATEMENTS:
                await connection.execute(statement, parameters)
            live = sum(memory.status == "active" for memory in group)
            await partitions.advance(connection, partition.id, len(group), live)


def _row(memory: Stored) -> dict[str, object]:
    return {
        "id": memory.id,
        "agent_id": memory.agent_id,
        "user_id": memory.user_id,
        "session_id": memory.session_id,
        "visibility": memory.visibility,
        "kind": memory.kind,
        "status": memory.status,
        "content": memory.content,
        "content_hash": f"\\x{sha256(memory.id.bytes).hexdigest()}",
        "words": list(Tokenizer().terms(memory.content).counts),
        "confidence": memory.confidence,
        "pinned": memory.pinned,
        "tags": list(memory.tags),
        "labels": list(memory.labels),
        "observed_at": memory.observed_at,
        "valid_from": memory.valid_from,
        "valid_until": memory.valid_until,
        "vector": None if memory.vector is None else spelled(memory.vector),
    }


_ROWS = """
    ROWS FROM (
        json_to_recordset(%(rows)s::json) AS (
            id uuid, agent_id uuid, user_id text, session_id text, visibility text, kind text, status text,
            content text, content_hash bytea, words text[], confidence real, pinned boolean, tags text[],
            labels text[], observed_at timestamptz, valid_from timestamptz, valid_until timestamptz,
            vector text
        )
    ) WITH ORDINALITY AS row
"""

_STATEMENTS = (
    f"""
    INSERT INTO ibex.memories (
        org_id, id, partition_id, revision, agent_id, user_id, session_id, visibility, kind, status, content,
        content_hash, words, confidence, pinned, tags, observed_at, valid_from, valid_until, embedded_version
    )
    SELECT
        %(org_id)s, id, %(partition_id)s, %(revision)s + ordinality, agent_id, user_id, session_id,
        visibility, kind, status, content, content_hash, array_to_tsvector(words), confidence, pinned, tags,
        observed_at, valid_from, valid_until, CASE WHEN vector IS NULL THEN 0 ELSE 1 END
    FROM {_ROWS}
    """,
    f"""
    INSERT INTO ibex.memory_versions (
        org_id, memory_id, version, content, kind, status, confidence, pinned, tags, metadata, valid_from,
        valid_until, effective_from, actor, action
    )
    SELECT
        %(org_id)s, id, 1, content, kind, status, confidence, pinned, tags, '{{}}', valid_from, valid_until,
        observed_at, 'test', 'memory.create'
    FROM {_ROWS}
    """,
    f"""
    INSERT INTO ibex.memory_labels (org_id, memory_id, label, confidence)
    SELECT %(org_id)s, id, unnest(labels), 1 FROM {_ROWS}
    """,
    f"""
    INSERT INTO ibex.memory_embeddings (org_id, memory_id, model_id, partition_id, version, embedding)
    SELECT %(org_id)s, id, %(model)s, %(partition_id)s, 1, vector::halfvec
    FROM {_ROWS}
    WHERE vector IS NOT NULL
    """,
)
