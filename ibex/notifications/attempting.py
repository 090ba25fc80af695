"""One attempt of a delivery: claimed, sent, and what has come of it stored."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID, uuid4

from ibex import outbox
from ibex.auth import AuditEvent, KeyRing
from ibex.auth.audit import record
from ibex.auth.credentials.sealing import UnsealError
from ibex.ids import uuid7
from ibex.notifications import sealing
from ibex.notifications.outcome import Answer, DeliveryPolicy
from ibex.notifications.repository import claims, deliveries, secrets, webhooks
from ibex.notifications.repository.claims import Claim
from ibex.notifications.sending import Message
from ibex.notifications.webhook import MAILTO, Attempt, Reason, Webhook
from ibex.outbox import Event
from ibex.storage import Connection, Postgres

logger = logging.getLogger(__name__)

# After an attempt's own deadline, for storing what has come of it.
_BEYOND_TIMEOUT = timedelta(seconds=30)


class Sender(Protocol):
    """Sends a message, and says how it went."""

    async def send(self, message: Message) -> Answer: ...


@dataclass(frozen=True, slots=True)
class Task:
    """A claimed delivery with what it is signed with; None when that cannot be opened."""

    org_id: UUID
    claim: Claim
    secrets: Sequence[str] | None = field(repr=False)


class Attempts:
    """Claims deliveries and makes attempts.

    Parameters
    ----------
    timeout: seconds that a sender takes at most. A claim lasts half a minute longer; a delivery whose process
        has died is due again then.
    most_of_webhook: attempts under way at a time for one webhook, in all processes.
    """

    def __init__(
        self,
        postgres: Postgres,
        keys: KeyRing,
        poster: Sender,
        mailer: Sender,
        policy: DeliveryPolicy,
        clock: Callable[[], datetime],
        *,
        timeout: float,
        most_of_webhook: int,
    ) -> None:
        self._postgres = postgres
        self._keys = keys
        self._poster = poster
        self._mailer = mailer
        self._policy = policy
        self._clock = clock
        self._lease = timedelta(seconds=timeout) + _BEYOND_TIMEOUT
        self._most_of_webhook = most_of_webhook

    async def claim(self, org_id: UUID, most: int) -> list[Task]:
        """Deliveries of an organization that are due, and nobody else's until their claims end."""
        now = self._clock()
        async with self._postgres.transaction(org_id) as connection:
            taken = await claims.take(connection, uuid4(), now, self._lease, most, self._most_of_webhook)
            ids = {each.webhook_id for each in taken}
            found = await secrets.of_webhooks(connection, list(ids), now) if taken else []
        opened = {
            webhook_id: self._opened(org_id, [each for each in found if each.webhook_id == webhook_id])
            for webhook_id in ids
        }
        return [Task(org_id, each, opened[each.webhook_id]) for each in taken]

    async def make(self, task: Task) -> None:
        """Send, and store how it went."""
        claim = task.claim
        at, begun = self._clock(), time.perf_counter()
        answer = await self._send(task)
        elapsed = (time.perf_counter() - begun) * 1_000
        attempt = Attempt(claim.number, at, elapsed, answer.status, answer.failure)
        await self._store(task.org_id, claim, attempt, answer)

    async def _send(self, task: Task) -> Answer:
        claim = task.claim
        if task.secrets is None:
            return Answer(failure="secret_unavailable")
        sender = self._mailer if claim.url.startswith(MAILTO) else self._poster
        message = Message(
            task.org_id, claim.url, claim.event_id, claim.type, claim.at, claim.data, task.secrets
        )
        try:
            return await sender.send(message)
        except Exception as error:  # noqa: BLE001
            # Anything that were not stored as an attempt would be sent for ever. What the error says may be
            # part of the message, so it is not logged.
            logger.error(
                "an attempt of a delivery of organization %s failed (%s)", task.org_id, type(error).__name__
            )
            return Answer(failure="unexpected")

    async def _store(self, org_id: UUID, claim: Claim, attempt: Attempt, answer: Answer) -> None:
        """A result that comes after its claim has ended is left out: another attempt has its own."""
        now = self._clock()
        async with self._postgres.transaction(org_id) as connection:
            # First of all, and everywhere, so that no two transactions wait for each other.
            webhook = await webhooks.lock(connection, claim.webhook_id)
            if webhook is None:
                return
            outcome = self._policy.outcome(webhook, claim.tries, answer, now)
            if not await claims.settle(connection, claim, outcome.status, outcome.due_at, now):
                return
            await claims.log(connection, org_id, claim.delivery_id, attempt)
            if (outcome.failing_since, outcome.failed_in_a_row) != (
                webhook.failing_since,
                webhook.failed_in_a_row,
            ):
                await webhooks.count_failures(
                    connection, webhook.id, outcome.failing_since, outcome.failed_in_a_row
                )
            if outcome.disabled is not None:
                await self._disable(connection, org_id, webhook, outcome.disabled, now)

    async def _disable(
        self, connection: Connection, org_id: UUID, webhook: Webhook, reason: Reason, now: datetime
    ) -> None:
        await webhooks.disable(connection, webhook.id, reason)
        await deliveries.give_up(connection, webhook.id, now)
        data = {"webhook_id": webhook.id, "reason": reason}
        await outbox.emit(connection, Event(org_id, uuid7(), "webhook.disabled", now, data))
        event = AuditEvent(
            org_id, "system", "webhook.disable", "success", str(webhook.id), {"reason": reason}
        )
        await record(connection, event)
        logger.warning("a webhook of organization %s was disabled (%s)", org_id, reason)

    def _opened(self, org_id: UUID, found: Sequence[secrets.SealedSecret]) -> list[str] | None:
        try:
            return [sealing.opened(each, org_id, self._keys) for each in found]
        except UnsealError as error:
            logger.error("the secret of a webhook of organization %s cannot be opened: %s", org_id, error)
            return None
