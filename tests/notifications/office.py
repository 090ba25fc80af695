"""An organization with webhooks, somebody who manages them, and couriers on a clock that the test holds."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from ibex import outbox
from ibex.http import parse_networks
from ibex.ids import uuid7
from ibex.notifications import Courier, DeliveryLog, LoggedDelivery, Webhook, WebhookRules, WebhookService
from ibex.notifications.attempting import Attempts
from ibex.notifications.outcome import DeliveryPolicy
from ibex.notifications.relay import Relay
from ibex.notifications.retry import RetrySchedule
from ibex.notifications.sending import Addresses, Mailer, MailServer, Poster
from ibex.notifications.sending.addresses import look_up
from ibex.outbox import Event
from ibex.settings import NotificationSettings
from tests.faults.waiting import until
from tests.operator import Operator

LOOPBACK = NotificationSettings(allow_http=True, allowed_networks=("127.0.0.0/8",), timeout_seconds=10.0)


@dataclass(slots=True)
class Clock:
    """Stands still until it is put forward."""

    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **by: float) -> None:
        self.now += timedelta(**by)


@dataclass(slots=True)
class Office:
    operator: Operator
    org_id: UUID
    clock: Clock = field(default_factory=Clock)
    settings: NotificationSettings = LOOPBACK

    @property
    def actor(self) -> Any:
        return self.operator.actor(self.org_id)

    @property
    def webhooks(self) -> WebhookService:
        rules = WebhookRules.of(self.settings)
        return WebhookService(self.operator.postgres, self.operator.keys, rules, self.clock)

    @property
    def log(self) -> DeliveryLog:
        return DeliveryLog(self.operator.postgres, self.clock)

    async def webhook(self, url: str, *events: str) -> Webhook:
        return (await self.webhooks.create(self.actor, url, events=events)).webhook

    async def happens(self, event_type: Any = "memory.quarantined", **data: object) -> Event:
        """Something is emitted in a transaction of its own."""
        event = Event(self.org_id, uuid7(), event_type, self.clock(), data)
        async with self.operator.postgres.transaction(self.org_id) as connection:
            await outbox.emit(connection, event)
        return event

    async def state(self, webhook: Webhook) -> Webhook:
        return await self.webhooks.get(self.actor, webhook.id)

    async def deliveries(self, webhook: Webhook) -> list[LoggedDelivery]:
        """The oldest first."""
        return (await self.log.page(self.actor, webhook.id, None, None, 1_000))[::-1]

    async def attempted(self, webhook: Webhook, times: int, number: int = 0) -> LoggedDelivery:
        """A delivery, as soon as so many attempts of it are in the log."""

        async def is_there() -> bool:
            found = await self.deliveries(webhook)
            return len(found) > number and len(found[number].attempts) >= times

        await until(is_there)
        return (await self.deliveries(webhook))[number]

    async def lose_claims(self) -> None:
        """What becomes of attempts whose process has died: their claims have ended."""
        async with self.operator.postgres.transaction(self.org_id) as connection:
            await connection.execute(
                "UPDATE ibex.webhook_deliveries SET claimed_until = now() WHERE claim IS NOT NULL"
            )

    def attempts(
        self,
        find: Callable[[str, int], Awaitable[Sequence[str]]] = look_up,
        tls: ssl.SSLContext | None = None,
        mail_server: str | None = None,
    ) -> Attempts:
        settings = self.settings
        poster = Poster(
            Addresses(parse_networks(settings.allowed_networks), find),
            timeout=settings.timeout_seconds,
            largest=settings.payload_limit_bytes,
            user_agent="ibex/test",
            clock=self.clock,
            tls=tls or ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
        )
        server = MailServer.of(mail_server) if mail_server else None
        policy = DeliveryPolicy(
            timedelta(days=settings.disable_after_days), RetrySchedule(chance=lambda: 0.0)
        )
        return Attempts(
            self.operator.postgres,
            self.operator.keys,
            poster,
            Mailer(server, "IBEX <ibex@example.org>", timeout=settings.timeout_seconds),
            policy,
            self.clock,
            timeout=settings.timeout_seconds,
            most_of_webhook=settings.connections_per_webhook,
        )

    def idle_courier(self, **means: Any) -> Courier:
        """One that looks when it is told to."""
        return Courier(
            self.operator.postgres,
            Relay(self.operator.postgres, self.clock),
            self.attempts(**means),
            self.clock,
            most=self.settings.connections,
            pause=0.005,
        )

    @asynccontextmanager
    async def courier(self, **means: Any) -> AsyncIterator[Courier]:
        """A courier at work until the block ends."""
        running = self.idle_courier(**means)
        running.start()
        try:
            yield running
        finally:
            await running.stop(within=0.0)

    def impatient(self, seconds: float = 0.05) -> "Office":
        """The same one, which waits for an answer no longer than this."""
        return self.having(timeout_seconds=seconds)

    def having(self, **settings: object) -> "Office":
        """The same one, where the installation has these settings."""
        return replace(self, settings=self.settings.model_copy(update=settings))


def found_at(*addresses: str) -> Callable[[str, int], Awaitable[Sequence[str]]]:
    """A name server that knows these addresses for every name."""

    async def find(host: str, port: int) -> Sequence[str]:
        await asyncio.sleep(0)
        return addresses

    return find
