"""The SQL of tokens."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from psycopg.rows import class_row

from ibex.storage import Connection, Postgres

State = Literal["active", "expired", "revoked"]


@dataclass(frozen=True, slots=True)
class TokenRecord:
    """A token as it may be shown: everything but the secret."""

    id: UUID
    name: str
    permissions: int
    platform: int
    agent_id: UUID | None
    agent_slug: str | None
    default_agent_id: UUID | None
    default_agent_slug: str | None
    user_id: UUID | None
    allowed_networks: list[str]
    created_by: UUID | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    replaced_by: UUID | None

    def state(self, now: datetime) -> State:
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= now else "active"


@dataclass(frozen=True, slots=True)
class Selection:
    """Which tokens of a list are wanted: those bound to an agent or a user, or in a state; None is any."""

    token_id: UUID | None = None
    agent_id: UUID | None = None
    user_id: UUID | None = None
    state: State | None = None


EVERY_TOKEN = Selection()


@dataclass(frozen=True, slots=True)
class Count:
    """How many tokens are valid; `overlapping` are those that were rotated and go on for an overlap."""

    lasting: int
    overlapping: int


@dataclass(frozen=True, slots=True)
class NewToken:
    """The row of a token that is being created."""

    id: UUID
    name: str
    secret_hash: bytes
    permissions: int
    platform: int
    agent_id: UUID | None
    default_agent_id: UUID | None
    user_id: UUID | None
    allowed_networks: Sequence[str]
    created_by: UUID | None
    expires_at: datetime | None


_COLUMNS = """
    SELECT
        t.id,
        t.name,
        t.permissions,
        t.platform,
        t.agent_id,
        a.slug AS agent_slug,
        t.default_agent_id,
        d.slug AS default_agent_slug,
        t.user_id,
        t.allowed_networks::text[] AS allowed_networks,
        t.created_by,
        t.created_at,
        t.expires_at,
        t.revoked_at,
        t.replaced_by
    FROM ibex.tokens AS t
    LEFT JOIN ibex.agents AS a ON a.org_id = t.org_id AND a.id = t.agent_id
    LEFT JOIN ibex.agents AS d ON d.org_id = t.org_id AND d.id = t.default_agent_id
"""


async def insert(connection: Connection, org_id: UUID, token: NewToken) -> None:
    await connection.execute(
        """
        INSERT INTO ibex.tokens (
            org_id, id, name, secret_hash, permissions, platform, agent_id, default_agent_id, user_id,
            allowed_networks, created_by, expires_at
        )
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s::cidr[], %s, %s)
        """,
        (
            org_id,
            token.id,
            token.name,
            token.secret_hash,
            token.permissions,
            token.platform,
            token.agent_id,
            token.default_agent_id,
            token.user_id,
            list(token.allowed_networks),
            token.created_by,
            token.expires_at,
        ),
    )


async def count(connection: Connection) -> Count:
    async with connection.cursor(row_factory=class_row(Count)) as cursor:
        await cursor.execute(
            """
            SELECT
                count(*) FILTER (WHERE replaced_by IS NULL) AS lasting,
                count(*) FILTER (WHERE replaced_by IS NOT NULL) AS overlapping
            FROM ibex.tokens
            WHERE revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())
            """
        )
        return await cursor.fetchone() or Count(0, 0)


async def page(
    postgres: Postgres, org_id: UUID, after: UUID | None, limit: int, selection: Selection
) -> list[TokenRecord]:
    """Tokens in the order of their ids, which is that of their creation."""
    return await postgres.fetch_all(
        org_id,
        _COLUMNS
        + """
        WHERE (%(after)s::uuid IS NULL OR t.id > %(after)s)
            AND (%(token_id)s::uuid IS NULL OR t.id = %(token_id)s)
            AND (%(agent_id)s::uuid IS NULL OR t.agent_id = %(agent_id)s)
            AND (%(user_id)s::uuid IS NULL OR t.user_id = %(user_id)s)
            AND (%(state)s::text IS NULL OR %(state)s = CASE
                WHEN t.revoked_at IS NOT NULL THEN 'revoked'
                WHEN t.expires_at <= now() THEN 'expired'
                ELSE 'active'
            END)
        ORDER BY t.id
        LIMIT %(limit)s
        """,
        {"after": after, "limit": limit, **asdict(selection)},
        row=class_row(TokenRecord),
    )


async def find(postgres: Postgres, org_id: UUID, token_id: UUID) -> TokenRecord | None:
    return await postgres.fetch_one(
        org_id, _COLUMNS + "WHERE t.id = %s", (token_id,), row=class_row(TokenRecord)
    )


async def revoke(connection: Connection, token_id: UUID) -> bool:
    """Whether there is such a token; revoking twice keeps the first time."""
    cursor = await connection.execute(
        "UPDATE ibex.tokens SET revoked_at = coalesce(revoked_at, now()) WHERE id = %s", (token_id,)
    )
    return cursor.rowcount > 0


async def revoke_of_user(connection: Connection, user_id: UUID) -> int:
    """How many tokens of a user were valid until now."""
    cursor = await connection.execute(
        "UPDATE ibex.tokens SET revoked_at = now() WHERE user_id = %s AND revoked_at IS NULL", (user_id,)
    )
    return cursor.rowcount


async def drop_platform_rights(connection: Connection, user_id: UUID) -> None:
    """Take the rights over the installation from every token of a user."""
    await connection.execute(
        "UPDATE ibex.tokens SET platform = 0 WHERE user_id = %s AND platform <> 0", (user_id,)
    )


async def replace(connection: Connection, token_id: UUID, replaced_by: UUID, overlap: float) -> bool:
    """Let a token that is still valid end in `overlap` seconds, or when it would anyway; whether it was."""
    cursor = await connection.execute(
        """
        UPDATE ibex.tokens
        SET replaced_by = %s, expires_at = least(expires_at, now() + make_interval(secs => %s))
        WHERE id = %s
            AND revoked_at IS NULL
            AND replaced_by IS NULL
            AND (expires_at IS NULL OR expires_at > now())
        """,
        (replaced_by, overlap, token_id),
    )
    return cursor.rowcount > 0
