"""The SQL of provider credentials."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from psycopg.rows import class_row, tuple_row

from ibex.storage import Connection, Postgres

# Any constant does, as long as every replica uses the same.
_SEALING = 0x1BE0_0003


@dataclass(frozen=True, slots=True)
class Credential:
    """What may be shown of a key: `hint` is its end."""

    provider: str
    hint: str
    key_id: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class SealedCredential:
    provider: str
    sealed: bytes = field(repr=False)
    key_id: str


async def all_of(postgres: Postgres, org_id: UUID) -> list[Credential]:
    """Those of an organization, by provider."""
    return await postgres.fetch_all(
        org_id,
        """
        SELECT provider, hint, key_id, created_at, updated_at
        FROM ibex.provider_credentials
        ORDER BY provider
        """,
        row=class_row(Credential),
    )


async def sealed(postgres: Postgres, org_id: UUID) -> list[SealedCredential]:
    return await postgres.fetch_all(
        org_id,
        "SELECT provider, sealed, key_id FROM ibex.provider_credentials",
        row=class_row(SealedCredential),
    )


async def put(
    connection: Connection, org_id: UUID, provider: str, sealed: bytes, key_id: str, hint: str
) -> None:
    await connection.execute(
        """
        INSERT INTO ibex.provider_credentials (org_id, provider, sealed, key_id, hint)
        VALUES (%s, %s, %s, %s, %s)
        ON CONFLICT (org_id, provider) DO UPDATE SET
            sealed = excluded.sealed, key_id = excluded.key_id, hint = excluded.hint, updated_at = now()
        """,
        (org_id, provider, sealed, key_id, hint),
    )


async def remove(connection: Connection, provider: str) -> bool:
    """Whether there was one."""
    cursor = await connection.execute(
        "DELETE FROM ibex.provider_credentials WHERE provider = %s", (provider,)
    )
    return cursor.rowcount > 0


async def locked_under_other_keys(connection: Connection, key_id: str) -> list[SealedCredential]:
    """An organization's credentials that are not sealed under a key; nobody changes them meanwhile."""
    cursor = connection.cursor(row_factory=class_row(SealedCredential))
    await cursor.execute(
        """
        SELECT provider, sealed, key_id FROM ibex.provider_credentials
        WHERE key_id <> %s ORDER BY provider FOR UPDATE
        """,
        (key_id,),
    )
    return await cursor.fetchall()


async def reseal(connection: Connection, credentials: Sequence[SealedCredential]) -> None:
    """The same keys, sealed anew; for those who see them nothing has changed."""
    cursor = connection.cursor()
    await cursor.executemany(
        "UPDATE ibex.provider_credentials SET sealed = %s, key_id = %s WHERE provider = %s",
        [(each.sealed, each.key_id, each.provider) for each in credentials],
    )


async def key_ids(postgres: Postgres) -> frozenset[str]:
    """Which master keys are needed to open what is stored, of all organizations."""
    found = await postgres.fetch_one(None, "SELECT ibex.credential_key_ids()", row=tuple_row)
    return frozenset(found[0]) if found else frozenset()


async def begin_sealing(connection: Connection) -> None:
    """Until its end, this transaction is one that `wait_for_sealing` waits for."""
    await connection.execute("SELECT pg_advisory_xact_lock_shared(%s)", (_SEALING,))


async def wait_for_sealing(connection: Connection) -> None:
    """Return once whoever has begun to seal, perhaps under an older key, is done."""
    await connection.execute("SELECT pg_advisory_xact_lock(%s)", (_SEALING,))
