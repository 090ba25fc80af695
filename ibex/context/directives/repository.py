"""The SQL of directives."""

from typing import Final, LiteralString
from uuid import UUID

from psycopg.rows import class_row

from ibex.context.directives.directive import Directive, DirectiveEntry, InjectionMode, Status
from ibex.storage import Connection, Postgres

# Versions of one agent, those included that only sessions keep which have them.
_MOST_IN_USE: Final = 10

_KNOWN: LiteralString = """
    SELECT id, agent_id, number, encode(sha256, 'hex') AS sha256, octet_length(content) AS size, mode, status,
        share, kept_until, is_rolled_back, change_summary, created_by, created_at, offered_at, activated_at,
        ended_at, revoked_at
"""
_ENTRIES: LiteralString = _KNOWN + " FROM ibex.directives "
_WHOLE: LiteralString = _KNOWN + ", content FROM ibex.directives "
# The first lines are the condition of an index.
_IN_USE: LiteralString = """
    WHERE agent_id = %s
        AND (status = 'active' OR share IS NOT NULL OR kept_until IS NOT NULL)
        AND (kept_until IS NULL OR share IS NOT NULL OR kept_until > clock_timestamp())
    ORDER BY (status = 'active' OR share IS NOT NULL) DESC, ended_at DESC
    LIMIT %s
"""


async def insert(
    connection: Connection,
    org_id: UUID,
    directive_id: UUID,
    agent_id: UUID,
    content: str,
    mode: InjectionMode,
    change_summary: str,
    created_by: str,
    status: Status,
) -> None:
    """The database gives it its number and its hash."""
    await connection.execute(
        """
        INSERT INTO ibex.directives
            (org_id, id, agent_id, content, mode, change_summary, created_by, status)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
        """,
        (org_id, directive_id, agent_id, content, mode, change_summary, created_by, status),
    )


async def lock(connection: Connection, agent_id: UUID) -> bool:
    """Whether there is such an agent. Nobody else writes or changes its directives until the end of the
    transaction."""
    cursor = await connection.execute(
        "SELECT 1 FROM ibex.agents WHERE id = %s FOR NO KEY UPDATE", (agent_id,)
    )
    return await cursor.fetchone() is not None


async def newest(connection: Connection, agent_id: UUID) -> Directive | None:
    """The version with the highest number."""
    async with connection.cursor(row_factory=class_row(Directive)) as cursor:
        await cursor.execute(_WHOLE + "WHERE agent_id = %s ORDER BY number DESC LIMIT 1", (agent_id,))
        return await cursor.fetchone()


async def find(postgres: Postgres, org_id: UUID, directive_id: UUID) -> Directive | None:
    return await postgres.fetch_one(
        org_id, _WHOLE + "WHERE id = %s", (directive_id,), row=class_row(Directive)
    )


async def find_of_agent(
    postgres: Postgres, org_id: UUID, agent_id: UUID, reference: UUID | int
) -> Directive | None:
    """By id or by number."""
    condition: LiteralString = "id = %s" if isinstance(reference, UUID) else "number = %s"
    return await postgres.fetch_one(
        org_id,
        _WHOLE + "WHERE agent_id = %s AND " + condition,
        (agent_id, reference),
        row=class_row(Directive),
    )


async def page(
    postgres: Postgres,
    org_id: UUID,
    agent_id: UUID | None,
    status: Status | None,
    after: UUID | None,
    limit: int,
) -> list[DirectiveEntry]:
    """Versions in the order of their ids, which is that of their creation."""
    return await postgres.fetch_all(
        org_id,
        _ENTRIES
        + """
        WHERE (%s::uuid IS NULL OR agent_id = %s)
            AND (%s::text IS NULL OR status = %s)
            AND (%s::uuid IS NULL OR id > %s)
        ORDER BY id
        LIMIT %s
        """,
        (agent_id, agent_id, status, status, after, after, limit),
        row=class_row(DirectiveEntry),
    )


async def in_use(postgres: Postgres, org_id: UUID, agent_id: UUID) -> list[Directive]:
    """What a session of the agent may have: the active version, the one that is being rolled out, and the
    newest of those that keep their sessions."""
    return await postgres.fetch_all(
        org_id, _WHOLE + _IN_USE, (agent_id, _MOST_IN_USE), row=class_row(Directive)
    )


async def entries_in_use(connection: Connection, agent_id: UUID) -> list[DirectiveEntry]:
    """The same without their texts."""
    async with connection.cursor(row_factory=class_row(DirectiveEntry)) as cursor:
        await cursor.execute(_ENTRIES + _IN_USE, (agent_id, _MOST_IN_USE))
        return await cursor.fetchall()


async def entry(connection: Connection, directive_id: UUID) -> DirectiveEntry | None:
    async with connection.cursor(row_factory=class_row(DirectiveEntry)) as cursor:
        await cursor.execute(_ENTRIES + "WHERE id = %s", (directive_id,))
        return await cursor.fetchone()


async def entry_by_number(connection: Connection, agent_id: UUID, number: int) -> DirectiveEntry | None:
    async with connection.cursor(row_factory=class_row(DirectiveEntry)) as cursor:
        await cursor.execute(_ENTRIES + "WHERE agent_id = %s AND number = %s", (agent_id, number))
        return await cursor.fetchone()


async def last_in_force(connection: Connection, agent_id: UUID) -> DirectiveEntry | None:
    """The version that was active last, of those that no rollback has ended and nobody has revoked."""
    async with connection.cursor(row_factory=class_row(DirectiveEntry)) as cursor:
        await cursor.execute(
            _ENTRIES
            + """
            WHERE agent_id = %s AND status = 'deprecated' AND NOT is_rolled_back
            ORDER BY ended_at DESC
            LIMIT 1
            """,
            (agent_id,),
        )
        return await cursor.fetchone()


async def submit(connection: Connection, directive_id: UUID) -> None:
    await connection.execute("UPDATE ibex.directives SET status = 'review' WHERE id = %s", (directive_id,))


async def activate(connection: Connection, directive_id: UUID) -> None:
    await connection.execute(
        """
        UPDATE ibex.directives
        SET status = 'active', share = NULL, kept_until = NULL, is_rolled_back = false
        WHERE id = %s
        """,
        (directive_id,),
    )


async def deprecate(
    connection: Connection, directive_id: UUID, keep_seconds: float | None, *, is_rolled_back: bool = False
) -> None:
    """Sessions keep it for so many seconds; with None they leave it at once."""
    await connection.execute(
        """
        UPDATE ibex.directives
        SET status = 'deprecated',
            kept_until = clock_timestamp() + make_interval(secs => %s),
            is_rolled_back = %s
        WHERE id = %s
        """,
        (keep_seconds, is_rolled_back, directive_id),
    )


async def set_share(connection: Connection, directive_id: UUID, share: float) -> None:
    await connection.execute("UPDATE ibex.directives SET share = %s WHERE id = %s", (share, directive_id))


async def abort(connection: Connection, directive_id: UUID) -> None:
    await connection.execute(
        "UPDATE ibex.directives SET share = NULL, kept_until = NULL WHERE id = %s", (directive_id,)
    )


async def revoke(connection: Connection, directive_id: UUID) -> None:
    await connection.execute(
        """
        UPDATE ibex.directives
        SET status = 'revoked', share = NULL, kept_until = NULL
        WHERE id = %s
        """,
        (directive_id,),
    )


async def keep_no_sessions(connection: Connection, agent_id: UUID) -> None:
    """No earlier version keeps its sessions any longer."""
    await connection.execute(
        "UPDATE ibex.directives SET kept_until = NULL WHERE agent_id = %s AND kept_until IS NOT NULL",
        (agent_id,),
    )
