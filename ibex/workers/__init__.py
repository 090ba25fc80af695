"""Work that nobody waits for."""

from ibex.workers.jobs import PeriodicJob
from ibex.workers.queue import work

__all__ = ["PeriodicJob", "work"]
