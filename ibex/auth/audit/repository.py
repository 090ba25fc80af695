"""The SQL of the audit."""

from uuid import UUID

from ibex.storage import Connection


async def insert(
    connection: Connection,
    org_id: UUID,
    event_id: UUID,
    *,
    actor: str,
    action: str,
    target: str | None,
    outcome: str,
    request_id: UUID | None,
    address: str | None,
    detail: str,
) -> None:
    """Store an event; one that is stored already, because the answer to an earlier try was lost, stays."""
    await connection.execute(
        """
        INSERT INTO ibex.audit_events
            (org_id, id, actor, action, target, outcome, request_id, address, detail)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
        """,
        (org_id, event_id, actor, action, target, outcome, request_id, address, detail),
    )
