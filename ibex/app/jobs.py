"""The parts of a process that does what nobody waits for."""

from contextlib import AsyncExitStack
from datetime import timedelta

from ibex.app.shared import USER_AGENT, Connections
from ibex.auth import OrganizationErasure, Quota
from ibex.auth.agents.service import AgentService
from ibex.auth.changes import ChangeLog
from ibex.context.learning import JOB as CAPTURE
from ibex.context.learning import LastTurns, PendingTurns, TurnCapture
from ibex.memory import MemoryParts
from ibex.proxy import end_idle_sessions
from ibex.settings import Settings
from ibex.storage import Postgres, connect, connect_single
from ibex.workers import Job, PeriodicJob

# One for each kind of work that may go on at the same time, and one for the longest of them all.
_CONNECTIONS = 3
CONNECTIONS = _CONNECTIONS + 1
# For each command of a job (seconds).
_REDIS_PATIENCE = 5.0
# An organization is erased in one transaction, and may have many sessions (seconds).
_ERASURE_PATIENCE = 3_600.0
# A worker that dies keeps a turn to itself for so long, and some seconds more.
_CAPTURE_TIMEOUT = 30.0


class JobParts:
    """What is to be done, and what it is done with. Nothing connects before `open`."""

    def __init__(self, settings: Settings, connections: Connections) -> None:
        self._postgres = Postgres(connections.postgres_dsn, connections=_CONNECTIONS)
        self._erasing = Postgres(connections.postgres_dsn, connections=1, patience=_ERASURE_PATIENCE)
        self._redis = connect(connections.redis_url, timeout=_REDIS_PATIENCE)
        self._announcing = connect_single(connections.redis_url, timeout=_REDIS_PATIENCE)
        agents = AgentService(self._postgres, ChangeLog(self._announcing), Quota.of(settings))
        self._memory = MemoryParts(settings, self._postgres, self._postgres, self._redis, agents, USER_AGENT)
        capture = TurnCapture(
            self._memory.writer,
            self._memory.lifecycle.inferred,
            PendingTurns(self._redis),
            LastTurns(self._redis),
        )
        idle = timedelta(minutes=settings.session_idle_minutes)
        self.periodic = [
            PeriodicJob("session.end_idle", lambda: end_idle_sessions(self._postgres, idle)),
            PeriodicJob(
                "organization.erase",
                OrganizationErasure(self._erasing, self._redis).run,
                timeout=_ERASURE_PATIENCE,
            ),
        ]
        self.on_demand = [Job(CAPTURE, capture.run, timeout=_CAPTURE_TIMEOUT)]

    async def open(self, running: AsyncExitStack) -> None:
        """`running` closes it all."""
        for redis in (self._redis, self._announcing):
            running.push_async_callback(redis.aclose)
        for pool in (self._postgres, self._erasing):
            await pool.open()
            running.push_async_callback(pool.close)
        running.push_async_callback(self._memory.close)
