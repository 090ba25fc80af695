"""The SQL of feedback: who said of a memory that it helped, or that it did not."""

from uuid import UUID

from ibex.storage import Connection


async def insert(
    connection: Connection,
    org_id: UUID,
    feedback_id: UUID,
    memory_id: UUID,
    signal: str,
    weight: float,
    source: str,
    actor: str,
) -> None:
    await connection.execute(
        """
        INSERT INTO ibex.memory_feedback (org_id, id, memory_id, signal, weight, source, actor)
        VALUES (%s, %s, %s, %s, %s, %s, %s)
        """,
        (org_id, feedback_id, memory_id, signal, weight, source, actor),
    )
