"""Seals everything under another master key while the service goes on."""

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import UUID

from ibex.auth import audit
from ibex.auth.actor import Actor
from ibex.auth.audit import AuditEvent
from ibex.auth.credentials import repository
from ibex.auth.credentials.key_ring import KeyRing
from ibex.auth.credentials.master_key import MasterKey
from ibex.auth.credentials.repository import SealedCredential
from ibex.auth.credentials.sealing import UnsealError, seal, unseal
from ibex.auth.organizations.repository import next_organization
from ibex.storage import Postgres

# Any constant does, as long as every replica uses the same.
_ROTATION = 0x1BE0_0004


@dataclass(frozen=True, slots=True)
class Rotated:
    """What a rotation has done. `unused` are ids of keys that seal nothing any more.

    `failures` are the credentials, by organization and provider, that could not be opened: they are as they
    were.
    """

    primary: str
    is_new: bool
    resealed: int
    failures: tuple[tuple[UUID, str], ...]
    unused: tuple[str, ...]


class KeyRotation:
    """One at a time on a database, whichever process begins it; an interrupted one is continued by the next.

    The new key is in the file before anything is sealed under it, and an older one stays there: a process
    that serves can open every row at every moment. Needs a pool of two connections.
    """

    def __init__(self, postgres: Postgres, keys: KeyRing) -> None:
        self._postgres = postgres
        self._keys = keys

    async def run(self) -> Rotated:
        """Raises `MasterKeyError` when there is no key or the file cannot be written."""
        async with self._postgres.locked(_ROTATION):
            primary = self._keys.primary()
            is_new = self._keys.file is not None and not await self._is_unfinished(primary)
            if is_new:
                primary = MasterKey.generate()
                self._keys.put_first(primary)
            async with self._postgres.transaction(None) as connection:
                await repository.wait_for_sealing(connection)
            resealed, failures = 0, []
            async for org_id in self._organizations():
                count, failed = await self._reseal(org_id, primary)
                resealed += count
                failures += [(org_id, provider) for provider in failed]
            needed = await repository.key_ids(self._postgres)
            unused = tuple(key.id for key in self._keys.all() if key.id not in {primary.id, *needed})
            return Rotated(primary.id, is_new, resealed, tuple(failures), unused)

    async def usage(self) -> Counter[str]:
        """How many credentials each key id seals."""
        used: Counter[str] = Counter()
        async for org_id in self._organizations():
            used.update(each.key_id for each in await repository.all_of(self._postgres, org_id))
        return used

    async def _is_unfinished(self, primary: MasterKey) -> bool:
        older = {key.id for key in self._keys.all()} - {primary.id}
        return bool(older & await repository.key_ids(self._postgres))

    async def _organizations(self) -> AsyncIterator[UUID]:
        org_id = await next_organization(self._postgres, None)
        while org_id is not None:
            yield org_id
            org_id = await next_organization(self._postgres, org_id)

    async def _reseal(self, org_id: UUID, primary: MasterKey) -> tuple[int, list[str]]:
        """How many of an organization were sealed anew, and the providers whose key could not be opened."""
        resealed, failed = [], []
        async with self._postgres.transaction(org_id) as connection:
            for each in await repository.locked_under_other_keys(connection, primary.id):
                try:
                    text = unseal(each.sealed, each.key_id, self._keys, org_id, each.provider)
                except UnsealError:
                    failed.append(each.provider)
                    continue
                sealed = seal(text, primary, org_id, each.provider)
                resealed.append(SealedCredential(each.provider, sealed, primary.id))
            if resealed:
                await repository.reseal(connection, resealed)
                actor = Actor.local(org_id, "cli")
                await audit.record(
                    connection, AuditEvent.of(actor, "credential.reseal", primary.id, count=len(resealed))
                )
        return len(resealed), failed
