"""The parts of `workers` that a web process needs."""

from collections.abc import Sequence
from contextlib import AsyncExitStack

from fastapi import APIRouter

from ibex.app.auth import AuthParts
from ibex.app.shared import Connections
from ibex.settings import Settings
from ibex.storage import Stores, connect_single
from ibex.telemetry import Instruments
from ibex.telemetry.endpoints import Dependency
from ibex.workers import JobQueue, QueueObserver, QueueState
from ibex.workers.dead_letters import DeadLetterService, endpoints

# For a command to the queue (seconds).
_PATIENCE = 2.0


class QueueParts:
    """How the queue of the workers is doing, and what was given up in it."""

    def __init__(
        self,
        settings: Settings,
        connections: Connections,
        stores: Stores,
        instruments: Instruments,
        auth: AuthParts,
    ) -> None:
        self._auth = auth
        self._instruments = instruments
        self._redis = connect_single(connections.queue_url(settings), timeout=_PATIENCE)
        queue = JobQueue(self._redis)
        self._letters = DeadLetterService(stores.looking_up, queue)
        self.observer = QueueObserver(queue, self._show)

    def routers(self) -> Sequence[APIRouter]:
        return [endpoints.router(self._letters, self._auth.access)]

    def dependency(self) -> Dependency:
        return Dependency(
            "workers",
            self.observer.check,
            is_required=False,
            when_away="what is done behind the answers waits: nothing is learned, nobody is told of events",
        )

    def start(self, running: AsyncExitStack) -> None:
        running.push_async_callback(self._redis.aclose)

    def _show(self, state: QueueState | None) -> None:
        shown = self._instruments
        shown.queue_jobs.set(None if state is None else state.waiting)
        shown.queue_oldest.set(None if state is None else state.oldest_seconds)
        shown.queue_seen.set(None if state is None else state.seen_seconds)
