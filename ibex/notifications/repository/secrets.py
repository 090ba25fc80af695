"""The SQL of the secrets that webhooks are signed with."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from psycopg.rows import class_row

from ibex.auth.credentials.repository import SealedCredential
from ibex.storage import Connection, Postgres


@dataclass(frozen=True, slots=True)
class SealedSecret:
    id: UUID
    webhook_id: UUID
    sealed: bytes = field(repr=False)
    key_id: str


async def insert(
    connection: Connection, org_id: UUID, webhook_id: UUID, secret_id: UUID, sealed: bytes, key_id: str
) -> None:
    await connection.execute(
        """
        INSERT INTO ibex.webhook_secrets (org_id, webhook_id, id, sealed, key_id)
        VALUES (%s, %s, %s, %s, %s)
        """,
        (org_id, webhook_id, secret_id, sealed, key_id),
    )


async def retire(connection: Connection, webhook_id: UUID, until: datetime) -> None:
    """The present secret goes on until then, and an earlier one no longer."""
    await connection.execute(
        "DELETE FROM ibex.webhook_secrets WHERE webhook_id = %s AND expires_at IS NOT NULL", (webhook_id,)
    )
    await connection.execute(
        "UPDATE ibex.webhook_secrets SET expires_at = %s WHERE webhook_id = %s", (until, webhook_id)
    )


async def of_webhooks(
    connection: Connection, webhook_ids: Sequence[UUID], now: datetime
) -> list[SealedSecret]:
    """Those that sign what is sent now, the newest first."""
    async with connection.cursor(row_factory=class_row(SealedSecret)) as cursor:
        await cursor.execute(
            """
            SELECT id, webhook_id, sealed, key_id FROM ibex.webhook_secrets
            WHERE webhook_id = ANY(%s) AND (expires_at IS NULL OR expires_at > %s)
            ORDER BY id DESC
            """,
            (list(webhook_ids), now),
        )
        return await cursor.fetchall()


async def all_sealed(postgres: Postgres, org_id: UUID) -> list[SealedCredential]:
    return await postgres.fetch_all(
        org_id,
        "SELECT id::text AS provider, sealed, key_id FROM ibex.webhook_secrets",
        row=class_row(SealedCredential),
    )


async def locked_under_other_keys(connection: Connection, key_id: str) -> list[SealedCredential]:
    async with connection.cursor(row_factory=class_row(SealedCredential)) as cursor:
        await cursor.execute(
            """
            SELECT id::text AS provider, sealed, key_id FROM ibex.webhook_secrets
            WHERE key_id <> %s ORDER BY id FOR UPDATE
            """,
            (key_id,),
        )
        return await cursor.fetchall()


async def reseal(connection: Connection, secrets: Sequence[SealedCredential]) -> None:
    async with connection.cursor() as cursor:
        await cursor.executemany(
            "UPDATE ibex.webhook_secrets SET sealed = %s, key_id = %s WHERE id = %s::uuid",
            [(each.sealed, each.key_id, each.provider) for each in secrets],
        )
