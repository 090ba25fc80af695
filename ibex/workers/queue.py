"""The queue: arq on Redis, known to this file only, so that it can be replaced."""

import asyncio
import logging
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from datetime import timedelta
from typing import Any

import orjson
from arq import Retry, cron, func
from arq.connections import ArqRedis
from arq.constants import job_key_prefix
from arq.cron import CronJob
from arq.jobs import serialize_job
from arq.worker import Function, Worker
from redis.asyncio import ConnectionPool
from redis.asyncio import Redis as SingleRedis

from ibex.workers.jobs import Job, Payload, PeriodicJob

logger = logging.getLogger(__name__)

# Nobody takes over from a worker that has died before the longest time that a job of its queue may take is
# over. Some periodic jobs may take an hour, so the others have a queue of their own.
QUEUE = "ibex:jobs"
ON_DEMAND = "ibex:jobs:on-demand"
# Seconds between two looks at the queue: what a job does is there as soon as anybody could ask for it.
_POLL = 0.05
_POLL_PERIODIC = 0.5
# A job that nobody does is forgotten after so many seconds.
_KEPT_FOR = 86_400
# Some hundred megabytes of turns, for when no worker runs.
LONGEST_QUEUE = 20_000
_DRAIN = 10
# The worker's own deadline is only to be met by a job that does not heed that of `_function`.
_BEYOND_TIMEOUT = 5.0
# Those that a stop or a crash has cut off count as well.
_MOST_TRIES = 20


class JobQueue:
    """Where whoever serves requests leaves what is to be done later.

    Parameters
    ----------
    longest: jobs that wait; beyond, they are refused.
    """

    def __init__(self, redis: SingleRedis, *, longest: int = LONGEST_QUEUE) -> None:
        self._redis = redis
        self._longest = longest

    async def put(self, name: str, jobs: Mapping[str, Payload]) -> int:
        """Leave jobs of one name, by their ids; how many of the first of them there was room for.

        One whose id is in the queue already is left as it is. Raises `redis.RedisError` and `OSError`.
        """
        room = max(0, self._longest - await self._redis.zcard(ON_DEMAND))
        taken = list(jobs.items())[:room]
        now = time.time_ns() // 1_000_000
        async with self._redis.pipeline(transaction=True) as pipeline:
            for job_id, payload in taken:
                job = serialize_job(name, (payload,), {}, None, now, serializer=orjson.dumps)
                pipeline.set(job_key_prefix + job_id, job, nx=True, ex=_KEPT_FOR)
                pipeline.zadd(ON_DEMAND, {job_id: now}, nx=True)
            await pipeline.execute()
        return len(taken)


class _Redis(ArqRedis):
    async def close(self, close_connection_pool: bool | None = None) -> None:
        """arq closes its client under a name that the client has deprecated."""
        await self.aclose(close_connection_pool)


class _Argument:
    """What a job was given, for arq to pass on, and neither to log nor to keep."""

    def __init__(self, value: Any) -> None:
        self.value = value


async def work(
    redis_url: str,
    periodic: Sequence[PeriodicJob],
    on_demand: Sequence[Job] = (),
    *,
    ready: Callable[[], None],
    stop: asyncio.Event,
) -> None:
    """Do jobs until `stop` is set, then finish those under way, for 10 s at most.

    Raises `redis.RedisError` when the queue is lost.
    """
    workers: list[Worker] = []
    if periodic:
        workers.append(
            _worker(redis_url, QUEUE, poll=_POLL_PERIODIC, cron_jobs=[_cron(each) for each in periodic])
        )
    if on_demand:
        workers.append(
            _worker(redis_url, ON_DEMAND, poll=_POLL, functions=[_function(each) for each in on_demand])
        )
    async with AsyncExitStack() as closing:
        for each in workers:
            closing.push_async_callback(_close, each)
        working = [asyncio.create_task(each.async_run(), name=each.queue_name) for each in workers]
        stopping = asyncio.create_task(stop.wait(), name="worker-stop")
        closing.callback(stopping.cancel)
        ready()
        await asyncio.wait((*working, stopping), return_when=asyncio.FIRST_COMPLETED)
        for task in working:
            if task.done():
                task.result()
        for each in workers:
            each.handle_sig_wait_for_completion(signal.SIGTERM)
        for task in working:
            with suppress(asyncio.CancelledError):
                await task


async def _close(worker: Worker) -> None:
    with suppress(asyncio.CancelledError):
        await worker.close()


def _worker(redis_url: str, queue: str, *, poll: float, **jobs: Any) -> Worker:
    redis = _Redis(
        ConnectionPool.from_url(redis_url, socket_connect_timeout=5.0),
        job_serializer=orjson.dumps,
        job_deserializer=_read,
        default_queue_name=queue,
    )
    return Worker(
        **jobs,
        queue_name=queue,
        redis_pool=redis,
        job_serializer=_write,
        job_deserializer=_read,
        poll_delay=poll,
        handle_signals=False,
        job_completion_wait=_DRAIN,
        # Long enough that no worker runs what another has just finished for the same minute.
        keep_result=90,
        health_check_interval=30,
    )


def _read(stored: bytes) -> dict[str, Any]:
    job: dict[str, Any] = orjson.loads(stored)
    job["a"] = [_Argument(value) for value in job["a"]]
    return job


def _write(result: dict[str, Any]) -> bytes:
    """What a job was given, and what it has raised, stay out of what is kept of it."""
    return orjson.dumps(result, default=lambda each: type(each).__name__)


def _function(job: Job) -> Function:
    async def run(ctx: dict[Any, Any], argument: _Argument) -> None:
        try:
            async with asyncio.timeout(job.timeout):
                await job.run(argument.value)
        except Exception as error:
            tried = ctx["job_try"]
            if tried > len(job.retries):
                logger.exception("a job %s was given up", job.name)
                return
            logger.warning("a job %s will be tried again (%s)", job.name, type(error).__name__)
            raise Retry(timedelta(seconds=job.retries[tried - 1])) from None

    return func(
        run,
        name=job.name,
        timeout=job.timeout + _BEYOND_TIMEOUT,
        keep_result=0,
        max_tries=max(_MOST_TRIES, len(job.retries) + 1),
    )


def _cron(job: PeriodicJob) -> CronJob:
    async def run(ctx: dict[Any, Any], *args: Any, **kwargs: Any) -> None:
        await job.run()

    return cron(
        run, name=job.name, second=0, run_at_startup=True, unique=True, timeout=job.timeout, max_tries=3
    )
