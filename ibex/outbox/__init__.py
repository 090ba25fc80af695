"""What must not be lost, written in the transaction of its cause, and passed on later."""

from ibex.outbox.event import Event, EventType
from ibex.outbox.repository import emit

__all__ = ["Event", "EventType", "emit"]
