"""Work that nobody waits for."""

from ibex.workers.jobs import Job, Payload, PeriodicJob
from ibex.workers.queue import JobQueue, work

__all__ = ["Job", "JobQueue", "Payload", "PeriodicJob", "work"]
