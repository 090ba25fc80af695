"""The SQL of organizations, agents and tokens."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.rows import class_row, tuple_row
from psycopg.types.json import Jsonb

from ibex.storage import Connection, Postgres


@dataclass(frozen=True, slots=True)
class PrincipalRow:
    """What one look-up says of a token and the agent it was used for."""

    org_id: UUID
    org_status: str
    token_id: UUID
    secret_hash: bytes
    permissions: int
    user_id: UUID | None
    is_revoked: bool
    expires_in: float | None
    bound_agent_id: UUID | None
    agent_id: UUID | None
    agent_slug: str | None
    agent_status: str | None


@dataclass(frozen=True, slots=True)
class Organization:
    id: UUID
    slug: str
    name: str
    status: str


@dataclass(frozen=True, slots=True)
class Agent:
    id: UUID
    slug: str
    name: str
    description: str
    status: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class TokenRecord:
    """A token as it may be shown: everything but the secret."""

    id: UUID
    name: str
    permissions: int
    agent_id: UUID | None
    agent_slug: str | None
    default_agent_slug: str | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


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


async def find_organization(postgres: Postgres, slug: str) -> Organization | None:
    return await postgres.fetch_one(
        None, "SELECT * FROM ibex.find_organization(%s)", (slug,), row=class_row(Organization)
    )


async def insert_organization(connection: Connection, organization: Organization) -> None:
    await connection.execute(
        "INSERT INTO ibex.organizations (id, slug, name) VALUES (%s, %s, %s)",
        (organization.id, organization.slug, organization.name),
    )


async def insert_agent(
    connection: Connection, org_id: UUID, agent_id: UUID, slug: str, name: str, description: str
) -> None:
    await connection.execute(
        "INSERT INTO ibex.agents (org_id, id, slug, name, description) VALUES (%s, %s, %s, %s, %s)",
        (org_id, agent_id, slug, name, description),
    )


async def list_agents(postgres: Postgres, org_id: UUID) -> list[Agent]:
    return await postgres.fetch_all(
        org_id,
        """
        SELECT id, slug, name, description, status, created_at
        FROM ibex.agents
        ORDER BY created_at, id
        """,
        row=class_row(Agent),
    )


async def find_agent(postgres: Postgres, org_id: UUID, slug: str) -> Agent | None:
    return await postgres.fetch_one(
        org_id,
        """
        SELECT id, slug, name, description, status, created_at
        FROM ibex.agents
        WHERE slug = %s
        """,
        (slug,),
        row=class_row(Agent),
    )


async def set_agent_status(connection: Connection, agent_id: UUID, status: str) -> None:
    await connection.execute(
        "UPDATE ibex.agents SET status = %s, updated_at = now() WHERE id = %s", (status, agent_id)
    )


async def insert_token(
    connection: Connection,
    org_id: UUID,
    token_id: UUID,
    *,
    name: str,
    secret_hash: bytes,
    permissions: int,
    agent_id: UUID | None,
    default_agent_id: UUID | None,
    expires_at: datetime | None,
) -> None:
    await connection.execute(
        """
        INSERT INTO ibex.tokens
            (org_id, id, name, secret_hash, permissions, agent_id, default_agent_id, expires_at)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
        """,
        (org_id, token_id, name, secret_hash, permissions, agent_id, default_agent_id, expires_at),
    )


async def list_tokens(postgres: Postgres, org_id: UUID) -> list[TokenRecord]:
    return await postgres.fetch_all(
        org_id,
        """
        SELECT
            t.id,
            t.name,
            t.permissions,
            t.agent_id,
            a.slug AS agent_slug,
            d.slug AS default_agent_slug,
            t.created_at,
            t.expires_at,
            t.revoked_at
        FROM ibex.tokens AS t
        LEFT JOIN ibex.agents AS a ON a.org_id = t.org_id AND a.id = t.agent_id
        LEFT JOIN ibex.agents AS d ON d.org_id = t.org_id AND d.id = t.default_agent_id
        ORDER BY t.created_at, t.id
        """,
        row=class_row(TokenRecord),
    )


async def revoke_token(connection: Connection, token_id: UUID) -> bool:
    """Whether there is such a token; revoking twice keeps the first time."""
    cursor = await connection.execute(
        "UPDATE ibex.tokens SET revoked_at = coalesce(revoked_at, now()) WHERE id = %s", (token_id,)
    )
    return cursor.rowcount > 0


async def insert_audit_event(
    connection: Connection,
    org_id: UUID,
    event_id: UUID,
    *,
    actor: str,
    action: str,
    target: str | None,
    outcome: str,
    detail: dict[str, Any],
) -> None:
    """Store an event; one that is stored already, because the answer to an earlier try was lost, stays."""
    await connection.execute(
        """
        INSERT INTO ibex.audit_events (org_id, id, actor, action, target, outcome, detail)
        VALUES (%s, %s, %s, %s, %s, %s, %s)
        ON CONFLICT (org_id, id) DO NOTHING
        """,
        (org_id, event_id, actor, action, target, outcome, Jsonb(detail)),
    )


async def installation_value(connection: Connection, name: str, value: str) -> str:
    """The value kept under a name; the first one to be offered stays."""
    await connection.execute(
        "INSERT INTO ibex.installation (name, value) VALUES (%s, %s) ON CONFLICT (name) DO NOTHING",
        (name, value),
    )
    cursor = await connection.execute("SELECT value FROM ibex.installation WHERE name = %s", (name,))
    row = await cursor.fetchone()
    return str(row[0]) if row else value


async def has_installation_value(postgres: Postgres, name: str) -> bool:
    """Whether a value is kept under a name."""
    rows = await postgres.fetch_all(
        None, "SELECT name FROM ibex.installation WHERE name = %s", (name,), row=tuple_row
    )
    return bool(rows)
