"""The parts of `notifications`, of a process that serves and of one that does what nobody waits for."""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from functools import partial

from fastapi import APIRouter

from ibex.app.auth import AuthParts
from ibex.app.shared import USER_AGENT, Connections
from ibex.notifications import (
    DeliveryLog,
    DeliveryRetention,
    WebhookRules,
    WebhookService,
    courier,
    endpoints,
)
from ibex.settings import Settings
from ibex.storage import Postgres, Stores

# One for what is begun, and one for how it went.
CONNECTIONS_OF_COURIER = 2
# Seconds for attempts under way at a stop; those that are cut off are made again.
_LAST_ATTEMPTS = 5.0
_now = partial(datetime.now, UTC)


def notification_routers(
    settings: Settings, connections: Connections, stores: Stores, auth: AuthParts
) -> Sequence[APIRouter]:
    rules = WebhookRules.of(settings.notifications)
    webhooks = WebhookService(stores.looking_up, connections.master_keys, rules, _now)
    return endpoints.routers(webhooks, DeliveryLog(stores.looking_up, _now), auth.access)


class NotificationJobs:
    """What delivers, on connections of its own, and what forgets."""

    def __init__(self, settings: Settings, connections: Connections) -> None:
        self._postgres = Postgres(connections.postgres_dsn, connections=CONNECTIONS_OF_COURIER)
        self._courier = courier(
            self._postgres, connections.master_keys, settings.notifications, USER_AGENT, _now
        )
        kept = timedelta(days=settings.notifications.delivery_days)
        self.forget = DeliveryRetention(self._postgres, kept, _now).run

    async def open(self, running: AsyncExitStack) -> None:
        """`running` closes it all."""
        await self._postgres.open()
        running.push_async_callback(self._postgres.close)
        self._courier.start()
        running.push_async_callback(self._courier.stop, within=_LAST_ATTEMPTS)
