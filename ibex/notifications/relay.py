"""From events to deliveries."""

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from ibex import outbox
from ibex.ids import uuid7
from ibex.notifications.repository import claims, deliveries, webhooks
from ibex.notifications.repository.deliveries import NewDelivery
from ibex.storage import Postgres

# One transaction of it takes some tens of milliseconds with as many webhooks as there may be.
_BATCH = 100


class Relay:
    """Makes a delivery of each event for each webhook that listens, and takes the event out of the outbox."""

    def __init__(self, postgres: Postgres, clock: Callable[[], datetime]) -> None:
        self._postgres = postgres
        self._clock = clock

    async def pass_on(self, org_id: UUID) -> int:
        """How many of an organization's oldest events were passed on; 0 when another process does it."""
        async with self._postgres.transaction(org_id) as connection:
            if not await claims.try_to_relay_alone(connection, org_id):
                return 0
            events = await outbox.take(connection, _BATCH)
            if not events:
                return 0
            told = [
                NewDelivery.of(uuid7(), webhook.id, event)
                for webhook in await webhooks.hold_enabled(connection)
                for event in events
                if webhook.listens_to(event.type)
            ]
            if told:
                await deliveries.insert(connection, org_id, told, self._clock())
            return len(events)
