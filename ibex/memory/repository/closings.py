"""The SQL that closes memories whose place others take, and gives those what they take over."""

from collections.abc import Sequence
from typing import LiteralString

import orjson

from ibex.memory.repository.rows import Absorption, Closing
from ibex.storage import Connection

_VERSIONS_OF_CHANGED: LiteralString = """
    INSERT INTO ibex.memory_versions (
        org_id, memory_id, version, content, kind, status, confidence, pinned, tags, metadata, valid_from,
        valid_until, effective_from, actor, action
    )
    SELECT
        org_id, id, version, content, kind, status, confidence, pinned, tags, metadata, valid_from,
        valid_until, effective_from, %(actor)s, action
    FROM changed
"""


async def close(connection: Connection, actor: str, closings: Sequence[Closing]) -> None:
    await connection.execute(
        f"""
        WITH changed AS (
            UPDATE ibex.memories AS memory
            SET status = row.status,
                valid_until = row.valid_until,
                revision = row.revision,
                version = memory.version + 1,
                updated_at = now()
            FROM json_to_recordset(%(rows)s::json) AS row (
                memory_id uuid, revision bigint, status text, valid_until timestamptz,
                effective_from timestamptz, action text
            )
            WHERE memory.id = row.memory_id
            RETURNING memory.*, row.effective_from, row.action
        )
        {_VERSIONS_OF_CHANGED}
        """,
        {"rows": orjson.dumps(closings).decode(), "actor": actor},
    )


async def absorb(connection: Connection, actor: str, absorptions: Sequence[Absorption]) -> None:
    await connection.execute(
        f"""
        WITH changed AS (
            UPDATE ibex.memories AS memory
            SET pinned = row.pinned,
                helpful = row.helpful,
                unhelpful = row.unhelpful,
                uses = row.uses,
                last_used_at = row.last_used_at,
                revision = row.revision,
                version = memory.version + 1,
                embedded_version = CASE
                    WHEN memory.embedded_version = memory.version THEN memory.version + 1
                    ELSE 0
                END,
                updated_at = now()
            FROM json_to_recordset(%(rows)s::json) AS row (
                memory_id uuid, revision bigint, pinned boolean, helpful real, unhelpful real, uses bigint,
                last_used_at timestamptz
            )
            WHERE memory.id = row.memory_id
            RETURNING memory.*, now() AS effective_from, 'memory.absorb' AS action
        )
        {_VERSIONS_OF_CHANGED}
        """,
        {"rows": orjson.dumps(absorptions).decode(), "actor": actor},
    )
