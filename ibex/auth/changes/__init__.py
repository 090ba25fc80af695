"""How every process hears of what has changed."""

from ibex.auth.changes.change import Change
from ibex.auth.changes.feed import ChangeFeed
from ibex.auth.changes.log import ChangeLog

__all__ = ["Change", "ChangeFeed", "ChangeLog"]
