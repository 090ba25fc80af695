"""What is shown of webhooks and of what was delivered to them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from ibex.notifications.deliveries import LoggedDelivery
from ibex.notifications.webhook import (
    Attempt,
    DeliveryStatus,
    Failure,
    IssuedSecret,
    Reason,
    Status,
    Webhook,
)

_WEBHOOK: dict[str, JsonValue] = {
    "id": "01a20747-378d-70c7-a843-85766e82a988",
    "url": "https://hooks.acme.example/ibex",
    "description": "Pages whoever is on call.",
    "events": ["memory.quarantined", "job.dead"],
    "status": "enabled",
    "reason": None,
    "failing_since": None,
    "created_at": "2030-01-31T12:00:00Z",
    "updated_at": "2030-01-31T12:00:00Z",
}
_ATTEMPT: dict[str, JsonValue] = {
    "number": 1,
    "at": "2030-01-31T12:00:00Z",
    "duration_ms": 84.2,
    "status": 204,
    "error": None,
}


class WebhookView(BaseModel):
    """A webhook, without its secret."""

    model_config = ConfigDict(json_schema_extra={"examples": [_WEBHOOK]})

    id: UUID
    url: str
    description: str
    events: list[str] = Field(description="Types that it is told of; all of them if empty.")
    status: Status
    reason: Reason | None = Field(
        description="Why it is disabled: `requested`; `gone`, its endpoint answered 410; `failing`, nothing "
        "has succeeded for days."
    )
    failing_since: datetime | None = Field(description="Since when no attempt has succeeded.")
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, webhook: Webhook) -> Self:
        return cls.model_validate(webhook, from_attributes=True)


class SecretView(WebhookView):
    """A webhook with a secret that is shown this once."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{**_WEBHOOK, "secret": "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="}]
        }
    )

    secret: str | None = Field(description="What requests are signed with; null for a mail address.")

    @classmethod
    def of_issued(cls, issued: IssuedSecret) -> Self:
        return cls(**WebhookView.of(issued.webhook).model_dump(), secret=issued.secret)


class AttemptView(BaseModel):
    """One try to deliver."""

    model_config = ConfigDict(json_schema_extra={"examples": [_ATTEMPT]})

    number: int = Field(description="A gap is an attempt whose process has died.")
    at: datetime
    duration_ms: float
    status: int | None = Field(description="What the endpoint answered with, or the mail server.")
    error: Failure | None = Field(description="Why it has failed; null when it has not.")


class DeliveryView(BaseModel):
    """One event for one webhook."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "01a20747-378d-70c7-a843-85766e82a989",
                    "webhook_id": "01a20747-378d-70c7-a843-85766e82a988",
                    "event_id": "01a20747-378d-70c7-a843-85766e82a98a",
                    "type": "memory.quarantined",
                    "at": "2030-01-31T12:00:00Z",
                    "data": {"agent_id": "01a20747-378d-70c7-a843-85766e82a98b", "memory_ids": []},
                    "status": "delivered",
                    "next_attempt_at": None,
                    "attempts": [_ATTEMPT],
                    "created_at": "2030-01-31T12:00:00Z",
                    "finished_at": "2030-01-31T12:00:00Z",
                }
            ]
        }
    )

    id: UUID
    webhook_id: UUID
    event_id: UUID = Field(description="What `webhook-id` says, in every attempt.")
    type: str
    at: datetime = Field(description="When it happened.")
    data: dict[str, Any]
    status: DeliveryStatus
    next_attempt_at: datetime | None = Field(
        description="When it is tried again, at the earliest. While an attempt is under way: when that one "
        "counts as lost."
    )
    attempts: list[AttemptView]
    created_at: datetime
    finished_at: datetime | None

    @classmethod
    def of(cls, logged: LoggedDelivery) -> Self:
        delivery = logged.delivery
        return cls(
            id=delivery.id,
            webhook_id=delivery.webhook_id,
            event_id=delivery.event_id,
            type=delivery.type,
            at=delivery.at,
            data=dict(delivery.data),
            status=delivery.status,
            next_attempt_at=delivery.due_at,
            attempts=_attempts(logged.attempts),
            created_at=delivery.created_at,
            finished_at=delivery.finished_at,
        )


class RedeliveredView(BaseModel):
    """How many deliveries were begun anew."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"deliveries": 12}]})

    deliveries: int


def _attempts(attempts: Sequence[Attempt]) -> list[AttemptView]:
    return [AttemptView.model_validate(each, from_attributes=True) for each in attempts]
