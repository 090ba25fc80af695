"""Work that nobody waits for."""

from ibex.workers.given_up import DeadLetterSink, GivenUp
from ibex.workers.jobs import Count, Job, Outcome, Payload, PeriodicJob, count_nothing
from ibex.workers.observation import LONGEST_UNSEEN, NoWorkerError, QueueObserver, is_unseen
from ibex.workers.queue import JobQueue, work
from ibex.workers.state import QueueState

__all__ = [
    "LONGEST_UNSEEN",
    "Count",
    "DeadLetterSink",
    "GivenUp",
    "Job",
    "JobQueue",
    "NoWorkerError",
    "Outcome",
    "Payload",
    "PeriodicJob",
    "QueueObserver",
    "QueueState",
    "count_nothing",
    "is_unseen",
    "work",
]
