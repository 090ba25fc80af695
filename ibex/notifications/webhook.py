"""What a webhook is, and what was delivered to it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

Status = Literal["enabled", "disabled"]
# Asked for; the endpoint answered 410; nothing has succeeded for days.
Reason = Literal["requested", "gone", "failing"]
DeliveryStatus = Literal["pending", "delivered", "failed"]
# Why an attempt has failed.
Failure = Literal[
    "bad_answer",
    "connect",
    "gone",
    "mail_refused",
    "mail_server",
    "name_unknown",
    "no_mail_server",
    "private_address",
    "redirect",
    "secret_unavailable",
    "status",
    "timeout",
    "tls",
    "too_large",
    "unexpected",
]

MAILTO = "mailto:"
TEST_EVENT = "webhook.test"


@dataclass(frozen=True, slots=True)
class Webhook:
    """Whom an organization has told of what happens: an endpoint, or with `mailto:` a mail address.

    Parameters
    ----------
    events: the types that it is told of; none is all of them.
    reason: why it is disabled.
    failing_since: since when no attempt has succeeded; `failed_in_a_row` is how many have not.
    """

    id: UUID
    url: str = field(repr=False)
    description: str = field(repr=False)
    events: Sequence[str]
    status: Status
    reason: Reason | None
    failing_since: datetime | None
    failed_in_a_row: int
    created_at: datetime
    updated_at: datetime

    @property
    def is_mail(self) -> bool:
        return self.url.startswith(MAILTO)

    def listens_to(self, event_type: str) -> bool:
        return not self.events or event_type in self.events


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event for one webhook.

    Parameters
    ----------
    attempts: that have begun.
    due_at: when the next one is; None when there is none.
    """

    id: UUID
    webhook_id: UUID
    event_id: UUID
    type: str
    at: datetime
    data: Mapping[str, Any] = field(repr=False)
    status: DeliveryStatus
    attempts: int
    due_at: datetime | None
    created_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try to deliver. `status` is what the endpoint answered with, `error` why the try has failed."""

    number: int
    at: datetime
    duration_ms: float
    status: int | None
    error: str | None


@dataclass(frozen=True, slots=True)
class IssuedSecret:
    """A secret that is shown once, now."""

    webhook: Webhook
    secret: str | None = field(repr=False)
