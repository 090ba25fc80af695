"""One job process: a worker on the queue until it is told to stop."""

import asyncio
import signal
from datetime import timedelta

import uvloop

from ibex.app import Connections, periodic_jobs
from ibex.serving.supervisor import Place
from ibex.settings import Settings
from ibex.storage import Postgres
from ibex.workers import work

# Once the supervisor is dead nobody waits for the jobs under way any more than this (seconds).
_ORPHAN_GRACE = 3


def serve_jobs(settings: Settings, connections: Connections, place: Place) -> None:
    """Work until SIGTERM or until the supervisor is gone, then finish the jobs under way and return."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    async def run() -> None:
        loop = asyncio.get_running_loop()
        stop = asyncio.Event()

        def orphaned() -> None:
            loop.remove_reader(place.lifeline)
            signal.alarm(_ORPHAN_GRACE)
            stop.set()

        loop.add_signal_handler(signal.SIGTERM, stop.set)
        loop.add_reader(place.lifeline, orphaned)
        postgres = Postgres(connections.postgres_dsn, connections=2)
        await postgres.open()
        try:
            jobs = periodic_jobs(postgres, idle=timedelta(minutes=settings.session_idle_minutes))
            queue = settings.queue_redis_url
            await work(
                queue.get_secret_value() if queue else connections.redis_url,
                jobs,
                ready=place.ready,
                stop=stop,
            )
        finally:
            await postgres.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())
