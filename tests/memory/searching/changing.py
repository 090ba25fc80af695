"""Changes of memories as every change is made: under the partition's lock, with its next revision."""

from uuid import UUID

from ibex.memory.memory import Scope
from ibex.memory.repository import partitions
from ibex.storage import Postgres


async def change(postgres: Postgres, scope: Scope, id_: UUID, assignment: str) -> None:
    """Set columns of a memory of the scope's own partition."""
    async with postgres.transaction(scope.org_id) as connection:
        key = partitions.PartitionKey(scope.org_id, scope.agent_id, scope.user_id)
        partition = await partitions.lock(connection, key)
        await connection.execute(
            f"UPDATE ibex.memories SET {assignment}, revision = %s WHERE id = %s".encode(),
            (partition.revision + 1, id_),
        )
        await partitions.advance(connection, partition.id, 1, 0)


async def erase(postgres: Postgres, scope: Scope, id_: UUID) -> None:
    """Delete the row, which no revision shows but the epoch does."""
    await postgres.execute(
        scope.org_id,
        """
        WITH gone AS (DELETE FROM ibex.memories WHERE id = %s RETURNING partition_id)
        UPDATE ibex.memory_partitions SET epoch = epoch + 1, revision = revision + 1
        FROM gone WHERE id = partition_id
        """,
        (id_,),
    )
