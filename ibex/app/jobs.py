"""The parts of a process that does what nobody waits for."""

from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from functools import partial

from ibex.app.archive import object_store, session_archive
from ibex.app.notifications import CONNECTIONS_OF_COURIER, NotificationJobs
from ibex.app.shared import USER_AGENT, Connections
from ibex.app.traces import trace_store
from ibex.auth import OrganizationErasure, Quota, Spending
from ibex.auth.agents.service import AgentService
from ibex.auth.changes import ChangeLog
from ibex.auth.limits.retention import forget_notices
from ibex.context.learning import JOB as CAPTURE
from ibex.context.learning import LastTurns, PendingTurns, TurnCapture
from ibex.drift import DriftWatch, forget_fingerprints
from ibex.memory import MemoryParts
from ibex.proxy import end_idle_sessions
from ibex.settings import Settings
from ibex.storage import Postgres, connect, connect_single
from ibex.traces import TraceShipping, TraceStream
from ibex.traces.store import expire_traces
from ibex.traces.usage import MonthCount
from ibex.workers import Job, JobQueue, PeriodicJob
from ibex.workers.dead_letters import DeadLetterBox, expire_dead_letters

# One for each kind of work that may go on at the same time, and one for the longest of them all.
_CONNECTIONS = 4
CONNECTIONS = _CONNECTIONS + 1 + CONNECTIONS_OF_COURIER
# For each command of a job (seconds).
_REDIS_PATIENCE = 5.0
# An organization is erased in one transaction, and may have many sessions (seconds).
_ERASURE_PATIENCE = 3_600.0
# Each object is written and read back (seconds); what is not reached is left to the next time.
_ARCHIVE_PATIENCE = 600.0
# A worker that dies keeps a turn to itself for so long, and some seconds more.
_CAPTURE_TIMEOUT = 30.0


def say_nothing(traces: int) -> None:
    """Where there are no metrics, the log tells."""


class JobParts:
    """What is to be done, and what it is done with. Nothing connects before `open`.

    Parameters
    ----------
    refused: called with the number of traces that can never be stored.
    """

    def __init__(
        self, settings: Settings, connections: Connections, refused: Callable[[int], None] = say_nothing
    ) -> None:
        self._postgres = Postgres(connections.postgres_dsn, connections=_CONNECTIONS)
        self._erasing = Postgres(connections.postgres_dsn, connections=1, patience=_ERASURE_PATIENCE)
        self._redis = connect(connections.redis_url, timeout=_REDIS_PATIENCE)
        self._announcing = connect_single(connections.redis_url, timeout=_REDIS_PATIENCE)
        self._queue = connect_single(connections.queue_url(settings), timeout=_REDIS_PATIENCE)
        changes = ChangeLog(self._announcing)
        agents = AgentService(self._postgres, changes, Quota.of(settings))
        self._memory = MemoryParts(settings, self._postgres, self._postgres, self._redis, agents, USER_AGENT)
        capture = TurnCapture(
            self._memory.writer,
            self._memory.lifecycle.inferred,
            PendingTurns(self._redis),
            LastTurns(self._redis),
            self._postgres,
        )
        self._notifications = NotificationJobs(settings, connections)
        self.traces = trace_store(settings, self._postgres)
        self.shipping = TraceShipping(
            TraceStream(self._queue, longest=settings.trace_backlog),
            self._postgres,
            self.traces,
            observers=[
                DriftWatch(agents, baseline_calls=settings.drift_baseline_calls),
                MonthCount(Spending(changes, settings.limits.month_thresholds)),
            ],
            refused=refused,
        )
        self.dead_letters = DeadLetterBox(self._postgres)
        archive = session_archive(settings, self._postgres, object_store(settings))
        idle = timedelta(minutes=settings.session_idle_minutes)
        kept = timedelta(days=settings.dead_letter_days)
        most = settings.dead_letters_per_organization
        self.periodic = [
            PeriodicJob("session.end_idle", lambda: end_idle_sessions(self._postgres, idle)),
            PeriodicJob(
                "organization.erase",
                OrganizationErasure(
                    self._erasing,
                    self._redis,
                    JobQueue(self._queue).forget,
                    self.traces.forget,
                    archive.forget_organization,
                ).run,
                timeout=_ERASURE_PATIENCE,
            ),
            PeriodicJob("dead_letter.expire", lambda: expire_dead_letters(self._postgres, kept, most)),
            PeriodicJob(
                "fingerprint.forget",
                lambda: forget_fingerprints(self._postgres, timedelta(days=settings.fingerprint_days)),
            ),
            PeriodicJob("trace.prepare", self.traces.prepare),
            PeriodicJob("trace.expire", partial(expire_traces, self.traces, settings.trace_days)),
            PeriodicJob("session.archive", archive.run, timeout=_ARCHIVE_PATIENCE),
            PeriodicJob("archive.expire", archive.expire, timeout=_ARCHIVE_PATIENCE),
            PeriodicJob("notification.forget", self._notifications.forget),
            PeriodicJob("limit.forget", partial(forget_notices, self._postgres)),
        ]
        self.on_demand = [Job(CAPTURE, capture.run, timeout=_CAPTURE_TIMEOUT)]

    async def open(self, running: AsyncExitStack) -> None:
        """`running` closes it all."""
        for redis in (self._redis, self._announcing, self._queue):
            running.push_async_callback(redis.aclose)
        for pool in (self._postgres, self._erasing):
            await pool.open()
            running.push_async_callback(pool.close)
        running.push_async_callback(self._memory.close)
        running.push_async_callback(self.traces.close)
        await self._notifications.open(running)
