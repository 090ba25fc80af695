"""What must not be lost, written in the transaction of its cause, and passed on later."""

from ibex.outbox.event import EVENT_TYPES, Event, EventType
from ibex.outbox.repository import emit, take

__all__ = ["EVENT_TYPES", "Event", "EventType", "emit", "take"]
