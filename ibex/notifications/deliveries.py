"""The log of deliveries, and what can be done to them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from ibex.auth import Actor, AuditEvent, audit
from ibex.auth.names import conflict, no_access
from ibex.ids import uuid7
from ibex.notifications.repository import deliveries, webhooks
from ibex.notifications.repository.deliveries import NewDelivery
from ibex.notifications.webhook import TEST_EVENT, Attempt, Delivery, DeliveryStatus, Webhook
from ibex.storage import Connection, Postgres


@dataclass(frozen=True, slots=True)
class LoggedDelivery:
    """A delivery with all of its attempts."""

    delivery: Delivery
    attempts: Sequence[Attempt]


class DeliveryLog:
    """Deliveries to the webhooks of one organization.

    Each of its methods raises ACCESS_DENIED when the organization has no such webhook or delivery.
    """

    def __init__(self, postgres: Postgres, clock: Callable[[], datetime]) -> None:
        self._postgres = postgres
        self._clock = clock

    async def page(
        self, actor: Actor, webhook_id: UUID, status: DeliveryStatus | None, before: UUID | None, limit: int
    ) -> list[LoggedDelivery]:
        """The newest first."""
        if await webhooks.find(self._postgres, actor.org_id, webhook_id) is None:
            raise no_access("webhook")
        found = await deliveries.page(self._postgres, actor.org_id, webhook_id, status, before, limit)
        attempts = await self._attempts(actor, found)
        return [LoggedDelivery(each, attempts.get(each.id, [])) for each in found]

    async def get(self, actor: Actor, webhook_id: UUID, delivery_id: UUID) -> LoggedDelivery:
        found = await deliveries.find(self._postgres, actor.org_id, webhook_id, delivery_id)
        if found is None:
            raise no_access("delivery")
        return LoggedDelivery(found, (await self._attempts(actor, [found])).get(delivery_id, []))

    async def test(self, actor: Actor, webhook_id: UUID) -> LoggedDelivery:
        """Deliver an event that nothing has caused, whatever the webhook listens to.

        Raises CONFLICT when the webhook is disabled.
        """
        now, delivery_id = self._clock(), uuid7()
        event = NewDelivery(delivery_id, webhook_id, uuid7(), TEST_EVENT, now, {"webhook_id": webhook_id})
        async with self._postgres.transaction(actor.org_id) as connection:
            await _enabled(connection, webhook_id)
            await deliveries.insert(connection, actor.org_id, [event], now)
            await audit.record(connection, AuditEvent.of(actor, "webhook.test", webhook_id))
        return await self.get(actor, webhook_id, delivery_id)

    async def redeliver(self, actor: Actor, webhook_id: UUID, delivery_id: UUID) -> LoggedDelivery:
        """Begin a delivery anew, now, whatever has become of it.

        Raises CONFLICT when an attempt is under way, or the webhook is disabled.
        """
        await self.get(actor, webhook_id, delivery_id)
        async with self._postgres.transaction(actor.org_id) as connection:
            await _enabled(connection, webhook_id)
            if not await deliveries.begin_anew(connection, webhook_id, delivery_id, self._clock()):
                raise conflict("An attempt is under way: see how it goes first.")
            event = AuditEvent.of(actor, "webhook.redeliver", webhook_id, delivery_id=str(delivery_id))
            await audit.record(connection, event)
        return await self.get(actor, webhook_id, delivery_id)

    async def redeliver_failed(self, actor: Actor, webhook_id: UUID, since: datetime) -> int:
        """Begin anew what was given up of the events since then; how many that are.

        Raises CONFLICT when the webhook is disabled.
        """
        async with self._postgres.transaction(actor.org_id) as connection:
            await _enabled(connection, webhook_id)
            count = await deliveries.begin_failed_anew(connection, webhook_id, since, self._clock())
            event = AuditEvent.of(actor, "webhook.redeliver", webhook_id, count=count)
            await audit.record(connection, event)
        return count

    async def _attempts(self, actor: Actor, found: Sequence[Delivery]) -> Mapping[UUID, list[Attempt]]:
        by_delivery: dict[UUID, list[Attempt]] = {}
        ids = [each.id for each in found]
        for delivery_id, attempt in await deliveries.attempts(self._postgres, actor.org_id, ids):
            by_delivery.setdefault(delivery_id, []).append(attempt)
        return by_delivery


async def _enabled(connection: Connection, webhook_id: UUID) -> Webhook:
    webhook = await webhooks.lock(connection, webhook_id)
    if webhook is None:
        raise no_access("webhook")
    if webhook.status == "disabled":
        raise conflict("The webhook is disabled: enable it first.")
    return webhook
