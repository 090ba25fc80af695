"""The SQL that reads what retrieval has to know of memories, and whether it is up to date."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from psycopg.rows import class_row

from ibex.memory.memory import Scope, Status, Visibility
from ibex.memory.repository.partitions import read_by_scope
from ibex.storage import Postgres

# pgvector sends the number of dimensions and an unused number, two bytes each, before the elements.
_HEADER_ELEMENTS = 2
_BIG_ENDIAN_HALF = np.dtype(">f2")


@dataclass(frozen=True, slots=True)
class PartitionState:
    """How far a partition has come. Its own organization's, by row security."""

    id: int
    revision: int
    epoch: int
    live: int


@dataclass(frozen=True, slots=True)
class IndexRow:
    """One memory as retrieval sees it. `embedding` is what pgvector sends, None where there is none."""

    id: UUID
    partition_id: int
    revision: int
    status: Status
    visibility: Visibility
    content: str = field(repr=False)
    session_id: str | None
    speaker: str | None
    observed_at: datetime
    kind: str
    confidence: float
    pinned: bool
    helpful: float
    unhelpful: float
    uses: int
    tags: list[str]
    labels: list[str] | None
    embedding: bytes | None = field(repr=False)


# The order is that of the fields of `IndexRow` only for the reader; columns go by name.
_FACTS = """
    memory.id, memory.partition_id, memory.revision, memory.visibility, memory.session_id,
    coalesce(memory.speaker, memory.role) AS speaker,
    memory.observed_at, memory.helpful, memory.unhelpful, memory.uses,
    (
        SELECT array_agg(label.label)
        FROM ibex.memory_labels AS label
        WHERE label.org_id = memory.org_id AND label.memory_id = memory.id
    ) AS labels
"""

CURRENT_ROWS = f"""
    SELECT
        {_FACTS}, memory.status, memory.content, memory.kind, memory.confidence, memory.pinned, memory.tags,
        halfvec_send(stored.embedding) AS embedding
    FROM ibex.memories AS memory
    LEFT JOIN ibex.memory_embeddings AS stored ON stored.org_id = memory.org_id
        AND stored.memory_id = memory.id
        AND stored.model_id = %(model)s
        AND memory.embedded_version = memory.version
"""


async def partition_states(postgres: Postgres, scope: Scope) -> list[PartitionState]:
    """The partitions that a scope reads, those that exist: its own, and what they share with others."""
    return await postgres.fetch_all(
        scope.org_id,
        read_by_scope("id, revision, epoch, live"),
        {"agent_id": scope.agent_id, "user_id": scope.user_id},
        row=class_row(PartitionState),
    )


async def live_rows(postgres: Postgres, org_id: UUID, partition_id: int, model: int | None) -> list[IndexRow]:
    """All live memories of a partition, with their vectors of one model."""
    return await postgres.fetch_all(
        org_id,
        f"{CURRENT_ROWS} WHERE memory.partition_id = %(partition_id)s AND memory.status = 'active'",
        {"partition_id": partition_id, "model": model},
        row=class_row(IndexRow),
        binary=True,
    )


async def rows_changed_since(
    postgres: Postgres, org_id: UUID, partition_id: int, revision: int, model: int | None
) -> list[IndexRow]:
    """Memories of a partition, live or not, that have changed after a revision."""
    return await postgres.fetch_all(
        org_id,
        f"{CURRENT_ROWS} WHERE memory.partition_id = %(partition_id)s AND memory.revision > %(revision)s",
        {"partition_id": partition_id, "revision": revision, "model": model},
        row=class_row(IndexRow),
        binary=True,
    )


async def rows_as_of(
    postgres: Postgres, org_id: UUID, partition_ids: Sequence[int], at: datetime, model: int | None
) -> list[IndexRow]:
    """What partitions said at some time: each memory in the version of then, if it was live and valid.

    What has been deleted or quarantined since stays out.
    """
    return await postgres.fetch_all(
        org_id,
        f"""
        SELECT
            {_FACTS}, version.status, version.content, version.kind, version.confidence, version.pinned,
            version.tags, halfvec_send(stored.embedding) AS embedding
        FROM ibex.memories AS memory
        {VERSION_AS_OF}
        LEFT JOIN (
            ibex.memory_embeddings AS stored
            JOIN ibex.memory_versions AS embedded ON embedded.org_id = stored.org_id
                AND embedded.memory_id = stored.memory_id
                AND embedded.version = stored.version
        ) ON stored.org_id = memory.org_id
            AND stored.memory_id = memory.id
            AND stored.model_id = %(model)s
            AND embedded.content = version.content
        WHERE memory.partition_id = ANY(%(partition_ids)s)
        """,
        {"partition_ids": list(partition_ids), "at": at, "model": model},
        row=class_row(IndexRow),
        binary=True,
    )


# A memory in the version of some time, which has been observed by then and holds then.
VERSION_AS_OF = """
    JOIN LATERAL (
        SELECT *
        FROM ibex.memory_versions AS past
        WHERE past.org_id = memory.org_id AND past.memory_id = memory.id AND past.effective_from <= %(at)s
        ORDER BY past.version DESC
        LIMIT 1
    ) AS version ON version.status = 'active'
        AND memory.status NOT IN ('deleted', 'quarantined')
        AND memory.observed_at <= %(at)s
        AND (version.valid_from IS NULL OR version.valid_from <= %(at)s)
        AND (version.valid_until IS NULL OR version.valid_until > %(at)s)
"""


def vectors(rows: Sequence[IndexRow]) -> list[NDArray[np.float32] | None]:
    """The embedding of each row, float32; decoded together, which is a tenth of the time."""
    sent = [row.embedding for row in rows if row.embedding is not None]
    if not sent:
        return [None] * len(rows)
    halves = np.frombuffer(b"".join(sent), _BIG_ENDIAN_HALF).reshape(len(sent), -1)
    decoded = iter(halves[:, _HEADER_ELEMENTS:].astype(np.float32))
    return [None if row.embedding is None else next(decoded) for row in rows]
