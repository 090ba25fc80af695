"""What becomes of a delivery, and of its webhook, after an attempt."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ibex.notifications.retry import RetrySchedule
from ibex.notifications.webhook import DeliveryStatus, Failure, Reason, Webhook


@dataclass(frozen=True, slots=True)
class Answer:
    """How an attempt went.

    Parameters
    ----------
    status: what the endpoint or the mail server answered with, if it did.
    failure: why the attempt has failed; None when it has not.
    wish: how long the endpoint asks to be left alone.
    is_final: whether trying again cannot help.
    """

    status: int | None = None
    failure: Failure | None = None
    wish: timedelta | None = None
    is_final: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is to be stored. `disabled` is why the webhook is disabled from now on."""

    status: DeliveryStatus
    due_at: datetime | None
    failing_since: datetime | None
    failed_in_a_row: int
    disabled: Reason | None


@dataclass(frozen=True, slots=True)
class DeliveryPolicy:
    """Decides.

    Parameters
    ----------
    patience: a webhook of which no attempt has succeeded for so long, and for more attempts in a row than one
        delivery has, is disabled.
    """

    patience: timedelta
    schedule: RetrySchedule = field(default_factory=RetrySchedule)

    def outcome(self, webhook: Webhook, attempts: int, answer: Answer, now: datetime) -> Outcome:
        """`attempts` are those of the delivery since it was begun, this one included."""
        if answer.failure is None:
            return Outcome("delivered", None, None, 0, None)
        since = webhook.failing_since or now
        failed = webhook.failed_in_a_row + 1
        disabled = self._disabled(webhook, answer, failed, now - since)
        wait = None if answer.is_final else self.schedule.wait(attempts, answer.wish)
        if wait is None or disabled is not None or webhook.status == "disabled":
            return Outcome("failed", None, since, failed, disabled)
        return Outcome("pending", now + wait, since, failed, None)

    def _disabled(self, webhook: Webhook, answer: Answer, failed: int, lasting: timedelta) -> Reason | None:
        if webhook.status == "disabled":
            return None
        if answer.failure == "gone":
            return "gone"
        return "failing" if failed > self.schedule.attempts and lasting >= self.patience else None
