"""The SQL of partitions: what is searched together, and changed by one after the other."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

from psycopg.rows import class_row

from ibex.storage import Connection


@dataclass(frozen=True, slots=True)
class PartitionKey:
    """Whose memories: of one agent, with None of all of them; about one end user, with None about nobody."""

    org_id: UUID
    agent_id: UUID | None
    user_id: str | None


@dataclass(frozen=True, slots=True)
class LockedPartition:
    """A partition whose row is locked until the transaction ends.

    `now` is the time of the transaction, which every row that it writes has.
    """

    id: int
    revision: int
    live: int
    now: datetime


_COLUMNS = "SELECT id, revision, live, now() AS now FROM ibex.memory_partitions"


def read_by_scope(columns: LiteralString) -> LiteralString:
    """The statement that selects columns of the partitions a scope reads: its own, and what others share.

    Only `IS NULL` finds a null in the index, so each combination is a look-up of its own. Its parameters are
    `agent_id` and `user_id`.
    """
    chosen = f"SELECT {columns} FROM ibex.memory_partitions"
    return f"""
        {chosen} WHERE agent_id = %(agent_id)s AND user_id IS NULL
        UNION ALL
        {chosen} WHERE agent_id IS NULL AND user_id IS NULL
        UNION ALL
        {chosen} WHERE agent_id = %(agent_id)s AND user_id = %(user_id)s
        UNION ALL
        {chosen} WHERE agent_id IS NULL AND user_id = %(user_id)s
    """


async def lock(connection: Connection, key: PartitionKey) -> LockedPartition:
    """Lock a partition, made if need be; whoever else changes it waits for the end of the transaction."""
    while True:
        locked = await _lock(connection, key)
        if locked is not None:
            return locked
        await connection.execute(
            """
            INSERT INTO ibex.memory_partitions (org_id, agent_id, user_id)
            VALUES (%s, %s, %s)
            ON CONFLICT DO NOTHING
            """,
            (key.org_id, key.agent_id, key.user_id),
        )


async def lock_by_id(connection: Connection, partition_id: int) -> LockedPartition | None:
    """As `lock`, of one that is known; None when it is gone."""
    async with connection.cursor(row_factory=class_row(LockedPartition)) as cursor:
        await cursor.execute(_COLUMNS + " WHERE id = %s FOR UPDATE", (partition_id,))
        return await cursor.fetchone()


async def advance(connection: Connection, partition_id: int, changes: int, live: int) -> None:
    """Count changes of memories, and by how much more of them are live.

    The memories that were changed have the revisions up to the new one.
    """
    await connection.execute(
        "UPDATE ibex.memory_partitions SET revision = revision + %s, live = live + %s WHERE id = %s",
        (changes, live, partition_id),
    )


def matching(key: PartitionKey) -> tuple[LiteralString, dict[str, Any]]:
    """The condition on `memory_partitions` that one partition meets, and its parameters.

    Only `IS NULL` finds a null in the index; `IS NOT DISTINCT FROM` would read the whole table.
    """
    agent = "agent_id IS NULL" if key.agent_id is None else "agent_id = %(agent_id)s"
    user = "user_id IS NULL" if key.user_id is None else "user_id = %(user_id)s"
    return f"{agent} AND {user}", {"agent_id": key.agent_id, "user_id": key.user_id}


async def _lock(connection: Connection, key: PartitionKey) -> LockedPartition | None:
    condition, parameters = matching(key)
    async with connection.cursor(row_factory=class_row(LockedPartition)) as cursor:
        await cursor.execute(f"{_COLUMNS} WHERE {condition} FOR UPDATE", parameters)
        return await cursor.fetchone()
