"""Seals everything under another master key while the service goes on."""

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from ibex.auth import audit
from ibex.auth.actor import Actor
from ibex.auth.audit import AuditEvent
from ibex.auth.credentials import repository
from ibex.auth.credentials.key_ring import KeyRing
from ibex.auth.credentials.master_key import MasterKey
from ibex.auth.credentials.repository import SealedCredential
from ibex.auth.credentials.sealing import PROVIDER_KEY, UnsealError, seal, unseal
from ibex.auth.organizations.repository import next_organization
from ibex.storage import Connection, Postgres

# Any constant does, as long as every replica uses the same.
_ROTATION = 0x1BE0_0004


@dataclass(frozen=True, slots=True)
class SealedStore:
    """Where secrets of organizations are kept sealed, each under a name: `provider`, for a provider's key.

    Parameters
    ----------
    purpose: what they are sealed for.
    sealed: all of an organization.
    locked_under_other_keys: those not sealed under a key; nobody changes them up to the transaction's end.
    reseal: stores the same secrets sealed anew.
    """

    purpose: bytes
    sealed: Callable[[Postgres, UUID], Awaitable[Sequence[SealedCredential]]]
    locked_under_other_keys: Callable[[Connection, str], Awaitable[Sequence[SealedCredential]]]
    reseal: Callable[[Connection, Sequence[SealedCredential]], Awaitable[None]]


PROVIDER_KEYS = SealedStore(
    PROVIDER_KEY, repository.sealed, repository.locked_under_other_keys, repository.reseal
)


@dataclass(frozen=True, slots=True)
class Rotated:
    """What a rotation has done. `unused` are ids of keys that seal nothing any more.

    `failures` are the secrets, by organization and name, that could not be opened: they are as they were.
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

    def __init__(
        self, postgres: Postgres, keys: KeyRing, stores: Sequence[SealedStore] = (PROVIDER_KEYS,)
    ) -> None:
        self._postgres = postgres
        self._keys = keys
        self._stores = stores

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
        """How many secrets each key id seals."""
        used: Counter[str] = Counter()
        async for org_id in self._organizations():
            for store in self._stores:
                used.update(each.key_id for each in await store.sealed(self._postgres, org_id))
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
        """How many of an organization were sealed anew, and the names of those that could not be opened."""
        count, failed = 0, []
        async with self._postgres.transaction(org_id) as connection:
            for store in self._stores:
                resealed = []
                for each in await store.locked_under_other_keys(connection, primary.id):
                    name = each.provider
                    try:
                        text = unseal(each.sealed, each.key_id, self._keys, org_id, name, store.purpose)
                    except UnsealError:
                        failed.append(name)
                        continue
                    sealed = seal(text, primary, org_id, name, store.purpose)
                    resealed.append(SealedCredential(name, sealed, primary.id))
                if resealed:
                    await store.reseal(connection, resealed)
                count += len(resealed)
            if count:
                actor = Actor.local(org_id, "cli")
                await audit.record(
                    connection, AuditEvent.of(actor, "credential.reseal", primary.id, count=count)
                )
        return count, failed
