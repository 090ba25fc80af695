"""The one look-up that a token costs."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from psycopg.rows import class_row

from ibex.auth.roles import Role
from ibex.storage import Postgres


@dataclass(frozen=True, slots=True)
class PrincipalRow:
    """What one look-up says of a token and the agent it was used for; ages are in seconds."""

    org_id: UUID
    org_status: str
    allows_caller_keys: bool
    token_id: UUID
    secret_hash: bytes
    permissions: int
    platform: int
    allowed_networks: list[str]
    is_revoked: bool
    expires_at: datetime | None
    expires_in: float | None
    user_id: UUID | None
    user_role: Role | None
    user_status: str | None
    bound_agent_id: UUID | None
    agent_id: UUID | None
    agent_slug: str | None
    agent_status: str | None


async def find_principal(
    postgres: Postgres, token_id: UUID, agent_id: UUID | None, agent_slug: str | None
) -> PrincipalRow | None:
    """The token, its organization and the agent that was named, whatever organization that may be."""
    return await postgres.fetch_one(
        None,
        "SELECT * FROM ibex.find_principal(%s, %s, %s)",
        (token_id, agent_id, agent_slug),
        row=class_row(PrincipalRow),
    )
