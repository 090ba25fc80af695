"""What can be done to an organization's webhooks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, Self
from uuid import UUID

from ibex.auth import Actor, AuditEvent, KeyRing, audit
from ibex.auth.credentials.repository import begin_sealing
from ibex.auth.names import checked_description, conflict, invalid, no_access
from ibex.http import parse_networks
from ibex.ids import uuid7
from ibex.notifications import sealing
from ibex.notifications.repository import deliveries, secrets, webhooks
from ibex.notifications.signature import new_secret
from ibex.notifications.url import UrlRules
from ibex.notifications.webhook import IssuedSecret, Webhook
from ibex.outbox import EVENT_TYPES
from ibex.settings import NotificationSettings
from ibex.storage import Connection, Postgres

# Whoever receives has so long to learn the new secret.
_OVERLAP = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class WebhookRules:
    """`most` is how many webhooks an organization may have."""

    most: int
    urls: UrlRules

    @classmethod
    def of(cls, settings: NotificationSettings) -> Self:
        networks = parse_networks(settings.allowed_networks)
        urls = UrlRules(settings.allow_http, networks, settings.smtp_url is not None)
        return cls(settings.webhooks_per_organization, urls)


class WebhookService:
    """Webhooks of one organization; each change is one transaction, and audited."""

    def __init__(
        self, postgres: Postgres, keys: KeyRing, rules: WebhookRules, clock: Callable[[], datetime]
    ) -> None:
        self._postgres = postgres
        self._keys = keys
        self._rules = rules
        self._clock = clock

    async def create(
        self, actor: Actor, url: str, description: str = "", events: Sequence[str] = ()
    ) -> IssuedSecret:
        """A mail address has no secret.

        Raises VALIDATION_ERROR, CONFLICT when there are too many, and CREDENTIALS_UNAVAILABLE without a
        master key.
        """
        url, description = self._rules.urls.checked(url), checked_description(description)
        checked_events(events)
        webhook_id = uuid7()
        async with self._postgres.transaction(actor.org_id) as connection:
            await webhooks.insert(connection, actor.org_id, webhook_id, url, description, events)
            created = await _locked(connection, webhook_id)
            secret = None if created.is_mail else await self._new_secret(connection, actor, webhook_id)
            await audit.record(connection, AuditEvent.of(actor, "webhook.create", webhook_id))
            self._check_count(await webhooks.count(connection))
        return IssuedSecret(created, secret)

    async def page(self, actor: Actor, after: UUID | None, limit: int) -> list[Webhook]:
        return await webhooks.page(self._postgres, actor.org_id, after, limit)

    async def get(self, actor: Actor, webhook_id: UUID) -> Webhook:
        """Raises ACCESS_DENIED when the organization has no such webhook, as its siblings do."""
        found = await webhooks.find(self._postgres, actor.org_id, webhook_id)
        if found is None:
            raise no_access("webhook")
        return found

    async def update(
        self,
        actor: Actor,
        webhook_id: UUID,
        *,
        url: str | None = None,
        description: str | None = None,
        events: Sequence[str] | None = None,
        status: Literal["enabled", "disabled"] | None = None,
    ) -> Webhook:
        """Change what is given. What waits for a webhook that is disabled is given up.

        Raises VALIDATION_ERROR.
        """
        url = None if url is None else self._rules.urls.checked(url)
        description = None if description is None else checked_description(description)
        if events is not None:
            checked_events(events)
        async with self._postgres.transaction(actor.org_id) as connection:
            before = await _locked(connection, webhook_id)
            await webhooks.update(connection, webhook_id, url, description, events)
            after = await _locked(connection, webhook_id)
            if before.is_mail != after.is_mail:
                raise invalid("url", "A mail address takes the place of no endpoint: make another webhook.")
            if status == "enabled" and before.status == "disabled":
                await webhooks.enable(connection, webhook_id)
            elif status == "disabled" and before.status == "enabled":
                await webhooks.disable(connection, webhook_id, "requested")
                await deliveries.give_up(connection, webhook_id, self._clock())
            changed = await _locked(connection, webhook_id)
            event = AuditEvent.of(actor, "webhook.update", webhook_id, status=changed.status)
            await audit.record(connection, event)
        return changed

    async def remove(self, actor: Actor, webhook_id: UUID) -> None:
        """With everything that was delivered to it, or was to be."""
        async with self._postgres.transaction(actor.org_id) as connection:
            if not await webhooks.remove(connection, webhook_id):
                raise no_access("webhook")
            await audit.record(connection, AuditEvent.of(actor, "webhook.delete", webhook_id))

    async def rotate(self, actor: Actor, webhook_id: UUID) -> IssuedSecret:
        """A new secret. For a day, what is sent is signed with the one before as well.

        Raises CONFLICT for a mail address, and CREDENTIALS_UNAVAILABLE without a master key.
        """
        async with self._postgres.transaction(actor.org_id) as connection:
            webhook = await _locked(connection, webhook_id)
            if webhook.is_mail:
                raise conflict("Mails are not signed, so there is no secret.")
            await secrets.retire(connection, webhook_id, self._clock() + _OVERLAP)
            secret = await self._new_secret(connection, actor, webhook_id)
            await audit.record(connection, AuditEvent.of(actor, "webhook.rotate", webhook_id))
        return IssuedSecret(webhook, secret)

    async def _new_secret(self, connection: Connection, actor: Actor, webhook_id: UUID) -> str:
        await begin_sealing(connection)
        secret, secret_id = new_secret(), uuid7()
        sealed, key_id = sealing.sealed(secret, secret_id, actor.org_id, self._keys)
        await secrets.insert(connection, actor.org_id, webhook_id, secret_id, sealed, key_id)
        return secret

    def _check_count(self, count: int) -> None:
        if count > self._rules.most:
            raise conflict(
                "There can be no more webhooks: `notifications.webhooks_per_organization` allows "
                f"{self._rules.most:,}. Remove one first, or have whoever runs the installation raise it."
            )


def checked_events(events: Sequence[str]) -> None:
    """Raises VALIDATION_ERROR."""
    for number, each in enumerate(events):
        if each not in EVENT_TYPES:
            known = ", ".join(f"`{one}`" for one in EVENT_TYPES)
            raise invalid(f"events.{number}", f"There is no event `{each[:64]}`; there are: {known}.")


async def _locked(connection: Connection, webhook_id: UUID) -> Webhook:
    found = await webhooks.lock(connection, webhook_id)
    if found is None:
        raise no_access("webhook")
    return found
