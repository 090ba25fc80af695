"""The SQL that reads memories, one or many, as they are or as they were."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

from psycopg.rows import BaseRowFactory, TupleRow, class_row, tuple_row

from ibex.memory.memory import Kind, Memory, Status, Visibility
from ibex.memory.repository.index_rows import VERSION_AS_OF
from ibex.memory.repository.memory_rows import COLUMNS, COLUMNS_AS_OF, memory_row
from ibex.storage import Postgres

_row: BaseRowFactory[Memory] = memory_row


@dataclass(frozen=True, slots=True)
class Selection:
    """Which memories are wanted; what is None does not matter.

    Parameters
    ----------
    agent_id: that wrote it.
    observed_from, observed_until: observed at or after the former, before the latter.
    as_of: in the versions of that time, those that were live and held then; `statuses` do not matter then.
    """

    agent_id: UUID | None = None
    user_id: str | None = None
    session_id: str | None = None
    visibility: Visibility | None = None
    kind: Kind | None = None
    tag: str | None = None
    pinned: bool | None = None
    min_confidence: float | None = None
    observed_from: datetime | None = None
    observed_until: datetime | None = None
    statuses: Sequence[Status] = ("active",)
    as_of: datetime | None = None


@dataclass(frozen=True, slots=True)
class StoredVersion:
    """One line of the history of a memory. `at` is when it was written."""

    version: int
    content: str = field(repr=False)
    kind: Kind
    status: Status
    confidence: float
    pinned: bool
    tags: list[str]
    metadata: dict[str, Any] = field(repr=False)
    valid_from: datetime | None
    valid_until: datetime | None
    effective_from: datetime
    actor: str
    action: str
    at: datetime


_VERSIONS: LiteralString = """
    SELECT version, content, kind, status, confidence, pinned, tags, metadata, valid_from, valid_until,
        effective_from, actor, action, at
    FROM ibex.memory_versions
"""

# Of `{0}`: the memory itself, or one of its versions.
_CONDITIONS: dict[str, LiteralString] = {
    "agent_id": "memory.agent_id = %(agent_id)s",
    "user_id": "memory.user_id = %(user_id)s",
    "session_id": "memory.session_id = %(session_id)s",
    "visibility": "memory.visibility = %(visibility)s",
    "observed_from": "memory.observed_at >= %(observed_from)s",
    "observed_until": "memory.observed_at < %(observed_until)s",
    "kind": "{0}.kind = %(kind)s",
    "tag": "%(tag)s = ANY({0}.tags)",
    "pinned": "{0}.pinned = %(pinned)s",
    "min_confidence": "{0}.confidence >= %(min_confidence)s",
}


async def find(postgres: Postgres, org_id: UUID, memory_id: UUID) -> Memory | None:
    return await postgres.fetch_one(
        org_id,
        f"SELECT {COLUMNS} FROM ibex.memories AS memory WHERE memory.id = %s",
        (memory_id,),
        row=_row,
    )


async def find_as_of(postgres: Postgres, org_id: UUID, memory_id: UUID, at: datetime) -> Memory | None:
    """The version of some time; None when it had not been observed by then."""
    return await postgres.fetch_one(
        org_id,
        f"""
        SELECT {COLUMNS_AS_OF}
        FROM ibex.memories AS memory
        JOIN ibex.memory_versions AS version ON version.org_id = memory.org_id
            AND version.memory_id = memory.id
        WHERE memory.id = %(id)s AND version.effective_from <= %(at)s AND memory.observed_at <= %(at)s
        ORDER BY version.version DESC
        LIMIT 1
        """,
        {"id": memory_id, "at": at},
        row=_row,
    )


async def page(
    postgres: Postgres, org_id: UUID, selection: Selection, after: UUID | None, limit: int
) -> list[Memory]:
    """Memories in the order of their ids, which is that in which they were written."""
    is_past = selection.as_of is not None
    source: LiteralString = "version" if is_past else "memory"
    conditions = [
        condition.format(source)
        for name, condition in _CONDITIONS.items()
        if getattr(selection, name) is not None
    ]
    if not is_past:
        conditions.append("memory.status = ANY(%(statuses)s)")
    if after is not None:
        conditions.append("memory.id > %(after)s")
    parameters = {name: getattr(selection, name) for name in _CONDITIONS}
    return await postgres.fetch_all(
        org_id,
        f"""
        SELECT {COLUMNS_AS_OF if is_past else COLUMNS}
        FROM ibex.memories AS memory
        {VERSION_AS_OF if is_past else ""}
        WHERE {" AND ".join(conditions) or "true"}
        ORDER BY memory.id
        LIMIT %(limit)s
        """,
        {
            **parameters,
            "statuses": list(selection.statuses),
            "at": selection.as_of,
            "after": after,
            "limit": limit,
        },
        row=_row,
    )


async def history(
    postgres: Postgres, org_id: UUID, memory_id: UUID, after: int, limit: int
) -> list[StoredVersion]:
    """Versions of a memory above a number, the oldest first."""
    return await postgres.fetch_all(
        org_id,
        _VERSIONS + "WHERE memory_id = %s AND version > %s ORDER BY version LIMIT %s",
        (memory_id, after, limit),
        row=class_row(StoredVersion),
    )


async def version(postgres: Postgres, org_id: UUID, memory_id: UUID, number: int) -> StoredVersion | None:
    return await postgres.fetch_one(
        org_id,
        _VERSIONS + "WHERE memory_id = %s AND version = %s",
        (memory_id, number),
        row=class_row(StoredVersion),
    )


async def texts_at(
    postgres: Postgres, org_id: UUID, memory_ids: Sequence[UUID], at: datetime
) -> dict[UUID, str]:
    """What memories said at some time, as it was written by then; only of those that may still be seen.

    By a clock that is behind the database's, none may have been written yet: then what they said first.
    """
    rows: list[TupleRow] = await postgres.fetch_all(
        org_id,
        """
        SELECT DISTINCT ON (memory.id) memory.id, version.content
        FROM ibex.memories AS memory
        JOIN ibex.memory_versions AS version
            ON version.org_id = memory.org_id AND version.memory_id = memory.id
        WHERE memory.id = ANY(%(ids)s) AND memory.status NOT IN ('deleted', 'quarantined')
        ORDER BY
            memory.id,
            version.at <= %(at)s DESC,
            CASE WHEN version.at <= %(at)s THEN -version.version ELSE version.version END
        """,
        {"ids": list(memory_ids), "at": at},
        row=tuple_row,
    )
    return dict(rows)


async def last_status_but(
    postgres: Postgres, org_id: UUID, memory_id: UUID, status: Status
) -> StoredVersion | None:
    """The last version whose status was another one."""
    return await postgres.fetch_one(
        org_id,
        _VERSIONS + "WHERE memory_id = %s AND status <> %s ORDER BY version DESC LIMIT 1",
        (memory_id, status),
        row=class_row(StoredVersion),
    )
