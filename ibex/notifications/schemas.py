"""What is sent of webhooks."""

from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import Query
from pydantic import AfterValidator, ConfigDict, Field

from ibex.notifications.webhook import DeliveryStatus
from ibex.outbox import EVENT_TYPES
from ibex.rest import Body, Cursor

_TYPES = ", ".join(f"`{each}`" for each in EVENT_TYPES)
_EVENTS = f"Types that it is told of; all of them if empty. There are: {_TYPES}."
_URL = "Where to: `https://…`, or `mailto:` and a mail address."
Events = Annotated[list[str], Field(max_length=64)]


def _in_utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


class NewWebhook(Body):
    """Whom to tell of what."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "url": "https://hooks.acme.example/ibex",
                    "description": "Pages whoever is on call.",
                    "events": ["memory.quarantined", "job.dead"],
                }
            ]
        }
    )

    url: str = Field(description=_URL)
    description: str = Field("", description="At most 2,000 characters.")
    events: Events = Field(default_factory=list, description=_EVENTS)


class WebhookChange(Body):
    """What is to change of a webhook; what is left out or null stays."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"events": ["memory.conflict"]}]})

    url: str | None = Field(None, description=_URL)
    description: str | None = Field(None, description="At most 2,000 characters.")
    events: Events | None = Field(None, description=_EVENTS)
    status: Literal["enabled", "disabled"] | None = Field(
        None, description="`enabled` forgets its failures; `disabled` gives up what waits."
    )


class Redelivery(Body):
    """Which deliveries are to be begun anew."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"since": "2030-01-31T12:00:00Z"}]})

    since: Annotated[datetime, AfterValidator(_in_utc)] = Field(
        description="Those given up whose event was passed on since then."
    )


class DeliveryCursor(Cursor):
    """Which part of the log is wanted."""

    status: DeliveryStatus | None = Field(None, description="Only those that are so.")


DeliveriesQuery = Annotated[DeliveryCursor, Query()]
