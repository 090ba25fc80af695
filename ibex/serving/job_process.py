"""One job process: a worker on the queue until it is told to stop."""

import asyncio
import logging
import signal
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, suppress
from functools import partial

import uvloop
from redis.exceptions import RedisError

from ibex.app import Connections, JobParts, say_nothing
from ibex.serving.dependencies import connect_redis
from ibex.serving.supervisor import Place
from ibex.settings import Settings
from ibex.tasks import BackgroundTask
from ibex.workers import Count, DeadLetterSink, Job, PeriodicJob, count_nothing, work

logger = logging.getLogger(__name__)

# Once the supervisor is dead nobody waits for the jobs under way any more than this (seconds).
_ORPHAN_GRACE = 3
# For the traces that are there at a stop (seconds).
_LAST_TRACES = 6.0
# Between two tries to reach a queue that is away (seconds).
_SHORTEST_PAUSE = 1.0
_LONGEST_PAUSE = 5.0


def serve_jobs(
    settings: Settings,
    connections: Connections,
    place: Place,
    count: Count = count_nothing,
    refused: Callable[[int], None] = say_nothing,
) -> None:
    """Work until SIGTERM or until the supervisor is gone, then finish the jobs under way and return.

    Parameters
    ----------
    count: told of each try of a job.
    refused: told how many traces can never be stored.
    """
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
        parts = JobParts(settings, connections, refused)
        url = connections.queue_url(settings)
        shipping = BackgroundTask("trace shipping", partial(parts.shipping.run, stop))
        async with AsyncExitStack() as running:
            await parts.open(running)
            shipping.start()
            running.push_async_callback(shipping.stop, within=_LAST_TRACES)
            await work_through_outages(
                url,
                parts.periodic,
                parts.on_demand,
                ready=place.ready,
                stop=stop,
                dead_letters=parts.dead_letters,
                count=count,
            )

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())


async def work_through_outages(
    redis_url: str,
    periodic: Sequence[PeriodicJob],
    on_demand: Sequence[Job] = (),
    *,
    ready: Callable[[], None],
    stop: asyncio.Event,
    dead_letters: DeadLetterSink | None = None,
    count: Count = count_nothing,
) -> None:
    """Do jobs until `stop` is set; while the queue is away, wait for it."""
    ready()
    while not stop.is_set():
        try:
            await work(
                redis_url,
                periodic,
                on_demand,
                ready=_say_nothing,
                stop=stop,
                dead_letters=dead_letters,
                count=count,
            )
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
