"""What has happened, for whoever an organization wants to tell."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, get_args
from uuid import UUID

EventType = Literal[
    "agent.drifted",
    "agent.suspended",
    "budget.threshold",
    "job.dead",
    "limit.threshold",
    "memory.conflict",
    "memory.quarantined",
    "webhook.disabled",
]

EVENT_TYPES: tuple[EventType, ...] = get_args(EventType)


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that has happened to one organization.

    Parameters
    ----------
    id: the same for the same event, however often it is written.
    data: ids, numbers and names as JSON; never what anybody said.
    """

    org_id: UUID
    id: UUID
    type: EventType
    at: datetime
    data: Mapping[str, Any] = field(default_factory=dict)
