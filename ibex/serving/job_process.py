"""One job process: a worker on the queue until it is told to stop."""

import asyncio
import logging
import signal
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, suppress

import uvloop
from redis.exceptions import RedisError

from ibex.app import Connections, JobParts
from ibex.serving.dependencies import connect_redis
from ibex.serving.supervisor import Place
from ibex.settings import Settings
from ibex.workers import Job, PeriodicJob, work

logger = logging.getLogger(__name__)

# Once the supervisor is dead nobody waits for the jobs under way any more than this (seconds).
_ORPHAN_GRACE = 3
# Between two tries to reach a queue that is away (seconds).
_SHORTEST_PAUSE = 1.0
_LONGEST_PAUSE = 5.0


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
        parts = JobParts(settings, connections)
        queue = settings.queue_redis_url
        url = queue.get_secret_value() if queue else connections.redis_url
        async with AsyncExitStack() as running:
            await parts.open(running)
            await work_through_outages(url, parts.periodic, parts.on_demand, ready=place.ready, stop=stop)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())


async def work_through_outages(
    redis_url: str,
    periodic: Sequence[PeriodicJob],
    on_demand: Sequence[Job] = (),
    *,
    ready: Callable[[], None],
    stop: asyncio.Event,
) -> None:
    """Do jobs until `stop` is set; while the queue is away, wait for it."""
    ready()
    while not stop.is_set():
        try:
            await work(redis_url, periodic, on_demand, ready=_say_nothing, stop=stop)
        except (RedisError, OSError) as error:
            if stop.is_set():
                return
            logger.warning("the job queue is away (%s); jobs wait until it is back", type(error).__name__)
            await _until_back(redis_url, stop)


def _say_nothing() -> None:
    """A process is ready once, also when it finds the queue again."""


async def _until_back(redis_url: str, stop: asyncio.Event) -> None:
    """Return when the queue answers again, or when `stop` is set."""
    queue = connect_redis(redis_url)
    pause = _SHORTEST_PAUSE
    try:
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), pause)
                return
            try:
                await queue.ping()
            except (RedisError, OSError):
                pause = min(2 * pause, _LONGEST_PAUSE)
            else:
                logger.warning("the job queue is back")
                return
    finally:
        await queue.aclose()
