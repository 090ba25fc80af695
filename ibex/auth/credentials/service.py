"""What can be done to an organization's provider keys."""

from collections.abc import Collection
from uuid import UUID

from ibex.auth import audit
from ibex.auth.actor import Actor
from ibex.auth.audit import AuditEvent
from ibex.auth.changes import Change, ChangeLog
from ibex.auth.credentials import repository
from ibex.auth.credentials.key_ring import KeyRing
from ibex.auth.credentials.master_key import MasterKeyError
from ibex.auth.credentials.repository import Credential
from ibex.auth.credentials.sealing import seal
from ibex.auth.names import invalid, no_access
from ibex.errors import ErrorCode, IbexError
from ibex.http import PROVIDER_KEY, PROVIDER_KEY_FORM
from ibex.storage import Postgres

# Of a shorter key its end would tell too much.
_SHORTEST_WITH_HINT = 16


class CredentialService:
    """Keys of one organization for providers; each change is audited and told to every process.

    Parameters
    ----------
    keys: what the provider keys are sealed under.
    providers: names of those that are configured.
    """

    def __init__(
        self, postgres: Postgres, changes: ChangeLog, keys: KeyRing, providers: Collection[str]
    ) -> None:
        self._postgres = postgres
        self._changes = changes
        self._keys = keys
        self._providers = providers

    async def put(self, actor: Actor, provider: str, api_key: str) -> Credential:
        """Set or replace a key. Raises VALIDATION_ERROR, or CREDENTIALS_UNAVAILABLE without a master key."""
        if provider not in self._providers:
            raise invalid(
                "provider", f"There is no such provider. There are: {', '.join(sorted(self._providers))}."
            )
        if PROVIDER_KEY.fullmatch(api_key) is None:
            raise invalid("api_key", f"A provider key has {PROVIDER_KEY_FORM}.")
        change = Change("credentials", actor.org_id)
        async with self._postgres.transaction(actor.org_id) as connection:
            await repository.begin_sealing(connection)
            try:
                master_key = self._keys.primary()
            except MasterKeyError as error:
                raise IbexError(ErrorCode.CREDENTIALS_UNAVAILABLE, str(error)) from None
            sealed = seal(api_key, master_key, actor.org_id, provider)
            hint = _hint(api_key)
            await repository.put(connection, actor.org_id, provider, sealed, master_key.id, hint)
            await audit.record(connection, AuditEvent.of(actor, "credential.set", provider))
            await self._changes.note(connection, change)
        await self._changes.announce(change)
        return await self.get(actor.org_id, provider)

    async def get(self, org_id: UUID, provider: str) -> Credential:
        """Raises ACCESS_DENIED when there is none."""
        credentials = await self.all_of(org_id)
        found = next((each for each in credentials if each.provider == provider), None)
        if found is None:
            raise no_access("credential")
        return found

    async def all_of(self, org_id: UUID) -> list[Credential]:
        """By provider; also those of providers that are not configured any more."""
        return await repository.all_of(self._postgres, org_id)

    async def remove(self, actor: Actor, provider: str) -> None:
        """From now on the installation's own key is used. Raises ACCESS_DENIED when there is none."""
        change = Change("credentials", actor.org_id)
        # Not every text that stands in a path can be asked for.
        await self.get(actor.org_id, provider)
        async with self._postgres.transaction(actor.org_id) as connection:
            if not await repository.remove(connection, provider):
                raise no_access("credential")
            await audit.record(connection, AuditEvent.of(actor, "credential.remove", provider))
            await self._changes.note(connection, change)
        await self._changes.announce(change)


def _hint(api_key: str) -> str:
    return f"…{api_key[-4:]}" if len(api_key) >= _SHORTEST_WITH_HINT else "…"
