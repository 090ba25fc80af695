"""Times in a text: when something happened, and since and until when it holds."""

from ibex.memory.time.interval import Interval
from ibex.memory.time.mention import Mention, Precision
from ibex.memory.time.scanner import mentions
from ibex.memory.time.validity import validity

__all__ = ["Interval", "Mention", "Precision", "mentions", "validity"]
