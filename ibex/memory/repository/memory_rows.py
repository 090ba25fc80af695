"""Rows of `memories` as memories."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

from psycopg.rows import RowMaker

from ibex.memory.memory import Label, Memory, Provenance, Scope
from ibex.memory.repository.index_rows import VERSION_AS_OF
from ibex.storage import Postgres

_UNVERSIONED: LiteralString = """
    memory.id, memory.agent_id, memory.user_id, memory.session_id, memory.turn_id, memory.role,
    memory.speaker, memory.trace_id, memory.visibility, memory.risk, memory.observed_at, memory.helpful,
    memory.unhelpful, memory.uses, memory.last_used_at, memory.created_at, memory.updated_at,
    (
        SELECT json_agg(json_build_array(label.label, label.confidence) ORDER BY label.label)
        FROM ibex.memory_labels AS label
        WHERE label.org_id = memory.org_id AND label.memory_id = memory.id
    ) AS labels
"""

_VERSIONED: LiteralString = """
    {0}.version, {0}.kind, {0}.status, {0}.content, {0}.confidence, {0}.pinned, {0}.tags, {0}.metadata,
    {0}.valid_from, {0}.valid_until
"""

# What `memory_row` needs of `ibex.memories AS memory`.
COLUMNS: LiteralString = (
    _UNVERSIONED
    + ","
    + _VERSIONED.format("memory")
    + ", memory.embedded_version = memory.version AS is_embedded"
)

# The same of a version of it, `ibex.memory_versions AS version`.
COLUMNS_AS_OF: LiteralString = (
    _UNVERSIONED + "," + _VERSIONED.format("version") + ", memory.embedded_version > 0 AS is_embedded"
)

_PROVENANCE = ("turn_id", "role", "speaker", "trace_id")


def memory_row(cursor: Any) -> RowMaker[Memory]:
    """The row factory for `COLUMNS`, in any order; other columns may not be there."""
    names = [column.name for column in cursor.description or ()]

    def memory(values: Sequence[Any]) -> Memory:
        row = dict(zip(names, values, strict=True))
        provenance = Provenance(**{name: row.pop(name) for name in _PROVENANCE})
        labels = tuple(Label(name, confidence) for name, confidence in row.pop("labels") or ())
        return Memory(provenance=provenance, labels=labels, **row)

    return memory


_VISIBLE: LiteralString = """
    memory.id = ANY(%(ids)s)
    AND memory.partition_id = ANY(%(partition_ids)s)
    AND (memory.visibility <> 'session' OR memory.session_id = %(session_id)s)
"""


async def live(
    postgres: Postgres,
    org_id: UUID,
    ids: Sequence[UUID],
    *,
    partition_ids: Sequence[int],
    session_id: str | None,
) -> dict[UUID, Memory]:
    """Those of some memories that are live, and seen in these partitions and this session."""
    found = await postgres.fetch_all(
        org_id,
        f"""
        SELECT {COLUMNS}
        FROM ibex.memories AS memory
        WHERE {_VISIBLE} AND memory.status = 'active'
        """,
        {"ids": list(ids), "partition_ids": list(partition_ids), "session_id": session_id},
        row=memory_row,
    )
    return {memory.id: memory for memory in found}


async def as_of(
    postgres: Postgres,
    org_id: UUID,
    ids: Sequence[UUID],
    at: datetime,
    *,
    partition_ids: Sequence[int],
    session_id: str | None,
) -> dict[UUID, Memory]:
    """As `live`, of another time: in the versions that were live and valid then."""
    found = await postgres.fetch_all(
        org_id,
        f"""
        SELECT {COLUMNS_AS_OF}
        FROM ibex.memories AS memory
        {VERSION_AS_OF}
        WHERE {_VISIBLE}
        """,
        {"ids": list(ids), "at": at, "partition_ids": list(partition_ids), "session_id": session_id},
        row=memory_row,
    )
    return {memory.id: memory for memory in found}


async def latest(postgres: Postgres, scope: Scope, most: int) -> list[Memory]:
    """What was said last in a session of a scope, the newest first."""
    return await postgres.fetch_all(
        scope.org_id,
        f"""
        SELECT {COLUMNS}
        FROM ibex.memories AS memory
        WHERE memory.agent_id = %(agent_id)s
            AND memory.session_id = %(session_id)s
            AND memory.user_id IS NOT DISTINCT FROM %(user_id)s
            AND memory.status = 'active'
        ORDER BY memory.observed_at DESC, memory.id DESC
        LIMIT %(most)s
        """,
        {
            "agent_id": scope.agent_id,
            "session_id": scope.session_id,
            "user_id": scope.user_id,
            "most": most,
        },
        row=memory_row,
    )
