"""The queue: arq on Redis, known to this file only, so that it can be replaced."""

import asyncio
import logging
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import orjson
from arq import cron
from arq.connections import ArqRedis
from arq.cron import CronJob
from arq.worker import Worker
from redis.asyncio import ConnectionPool

from ibex.workers.jobs import PeriodicJob

logger = logging.getLogger(__name__)

QUEUE = "ibex:jobs"
_DRAIN = 10


class _Redis(ArqRedis):
    async def close(self, close_connection_pool: bool | None = None) -> None:
        """arq closes its client under a name that the client has deprecated."""
        await self.aclose(close_connection_pool)


async def work(
    redis_url: str, jobs: Sequence[PeriodicJob], *, ready: Callable[[], None], stop: asyncio.Event
) -> None:
    """Do jobs until `stop` is set, then finish those under way, for 10 s at most.

    Raises `redis.RedisError` when the queue is lost.
    """
    redis = _Redis(
        ConnectionPool.from_url(redis_url, socket_connect_timeout=5.0),
        job_serializer=orjson.dumps,
        job_deserializer=orjson.loads,
        default_queue_name=QUEUE,
    )
    worker = Worker(
        cron_jobs=[_cron(job) for job in jobs],
        queue_name=QUEUE,
        redis_pool=redis,
        job_serializer=orjson.dumps,
        job_deserializer=orjson.loads,
        handle_signals=False,
        job_completion_wait=_DRAIN,
        # Long enough that no worker runs what another has just finished for the same minute.
        keep_result=90,
        health_check_interval=30,
    )
    working = asyncio.create_task(worker.async_run(), name="worker")
    stopping = asyncio.create_task(stop.wait(), name="worker-stop")
    ready()
    try:
        await asyncio.wait((working, stopping), return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            working.result()
        else:
            worker.handle_sig_wait_for_completion(signal.SIGTERM)
            with suppress(asyncio.CancelledError):
                await working
    finally:
        stopping.cancel()
        with suppress(asyncio.CancelledError):
            await worker.close()


def _cron(job: PeriodicJob) -> CronJob:
    async def run(ctx: dict[Any, Any], *args: Any, **kwargs: Any) -> None:
        await job.run()

    return cron(
        run, name=job.name, second=0, run_at_startup=True, unique=True, timeout=job.timeout, max_tries=3
    )
