"""The SQL of what an organization has chosen for its memories."""

from uuid import UUID

from psycopg.rows import scalar_row

from ibex.storage import Postgres


async def pii_action(postgres: Postgres, org_id: UUID, agent_id: UUID) -> str | None:
    """What is done with personal data; None when the organization has no such agent."""
    return await postgres.fetch_one(
        org_id,
        """
        SELECT organization.memory_pii
        FROM ibex.organizations AS organization
        JOIN ibex.agents AS agent ON agent.org_id = organization.id
        WHERE agent.id = %s
        """,
        (agent_id,),
        row=scalar_row,
    )
