"""The queue: arq on Redis, known to this file only, so that it can be replaced."""

import asyncio
import logging
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from datetime import timedelta
from typing import Any
from uuid import UUID

import orjson
from arq import Retry, cron, func
from arq.connections import ArqRedis
from arq.constants import in_progress_key_prefix, job_key_prefix, retry_key_prefix
from arq.cron import CronJob
from arq.jobs import serialize_job
from arq.worker import Function, RetryJob, Worker
from redis.asyncio import ConnectionPool
from redis.asyncio import Redis as SingleRedis
from redis.exceptions import RedisError

from ibex.workers.attempts import AttemptBook, attempts_key
from ibex.workers.execution import Execution, LeftJob
from ibex.workers.given_up import DeadLetterSink
from ibex.workers.jobs import Count, Job, Payload, PeriodicJob, count_nothing
from ibex.workers.state import QueueState

logger = logging.getLogger(__name__)

# Periodic jobs have a queue of their own: some of them take an hour, and nobody waits for them.
QUEUE = "ibex:jobs"
ON_DEMAND = "ibex:jobs:on-demand"
# When a worker last looked at the queue, in milliseconds since 1970.
_SEEN = "ibex:jobs:seen"
# Seconds between two looks at the queue: what a job does is there as soon as anybody could ask for it.
_POLL = 0.05
_POLL_PERIODIC = 0.5
# A job that nobody does is forgotten after so many seconds, a week: it may hold what people said.
_KEPT_FOR = 7 * 86_400
# Some hundred megabytes of turns, for when no worker runs.
LONGEST_QUEUE = 20_000
_DRAIN = 10
# Seconds that a worker which has died keeps a job to itself. One that lives says so three times in that time,
# and a loop that is held up for longer has worse to fear than a job that is done twice.
_LEASE = 15.0
# Deadlines and tries are those of `Execution`; arq's own, which forget a job, are out of reach.
_NO_TIMEOUT = 7 * 86_400.0
_NO_MOST_TRIES = 1 << 31
# What arq calls jobs that nobody here knows, or that cannot be read.
_OTHER = "other"
_LONGEST_NAME = 100
# Only met by a periodic job that does not heed its own deadline.
_BEYOND_TIMEOUT = 5.0
_SCAN = 1_000


class JobQueue:
    """Where whoever serves requests leaves what is to be done later.

    Its methods raise `redis.RedisError` and `OSError`.

    Parameters
    ----------
    longest: jobs that wait; beyond, they are refused.
    """

    def __init__(self, redis: SingleRedis, *, longest: int = LONGEST_QUEUE) -> None:
        self._redis = redis
        self._longest = longest

    async def put(self, name: str, jobs: Mapping[str, Payload]) -> int:
        """Leave jobs of one name, by their ids; how many of the first of them there was room for.

        One whose id is in the queue already is left as it is.
        """
        taken = list(jobs.items())[: await self._room()]
        now = _now()
        async with self._redis.pipeline(transaction=True) as pipeline:
            for job_id, payload in taken:
                job = serialize_job(name, (payload,), {}, None, now, serializer=orjson.dumps)
                pipeline.set(job_key_prefix + job_id, job, nx=True, ex=_KEPT_FOR)
                pipeline.zadd(ON_DEMAND, {job_id: now}, nx=True)
            await pipeline.execute()
        return len(taken)

    async def put_again(self, name: str, job_id: str, payload: bytes) -> bool:
        """Leave a job, given as JSON, as if it had never been tried; False when there is no room for it."""
        if not await self._room():
            return False
        now = _now()
        job = serialize_job(name, (orjson.Fragment(payload),), {}, None, now, serializer=orjson.dumps)
        async with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.delete(retry_key_prefix + job_id, attempts_key(job_id))
            pipeline.set(job_key_prefix + job_id, job, nx=True, ex=_KEPT_FOR)
            pipeline.zadd(ON_DEMAND, {job_id: now}, nx=True)
            await pipeline.execute()
        return True

    async def forget(self, org_id: UUID) -> None:
        """Remove what waits of an organization, and what is known of its tries."""
        cursor = None
        while cursor != 0:
            cursor, found = await self._redis.zscan(
                ON_DEMAND, cursor or 0, match=f"*:{org_id}:*", count=_SCAN
            )
            ids = [job_id.decode() for job_id, _ in found]
            if ids:
                async with self._redis.pipeline(transaction=True) as pipeline:
                    for job_id in ids:
                        pipeline.delete(
                            job_key_prefix + job_id, retry_key_prefix + job_id, attempts_key(job_id)
                        )
                    pipeline.zrem(ON_DEMAND, *ids)
                    await pipeline.execute()

    async def state(self) -> QueueState:
        async with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.zcard(ON_DEMAND)
            pipeline.zrange(ON_DEMAND, 0, 0, withscores=True)
            pipeline.get(_SEEN)
            waiting, oldest, seen = await pipeline.execute()
        now = _now()
        due = [score for _, score in oldest]
        return QueueState(
            waiting,
            max(0.0, (now - due[0]) / 1_000) if due else 0.0,
            None if seen is None else max(0.0, (now - int(seen)) / 1_000),
        )

    async def _room(self) -> int:
        return max(0, self._longest - int(await self._redis.zcard(ON_DEMAND)))


class _Redis(ArqRedis):
    async def close(self, close_connection_pool: bool | None = None) -> None:
        """arq closes its client under a name that the client has deprecated."""
        await self.aclose(close_connection_pool)


class _Left:
    """What was found in the queue, for arq to pass on, and neither to log nor to keep."""

    def __init__(self, name: str | None, payload: dict[str, Any] | None) -> None:
        self.name = name
        self.payload = payload


async def work(
    redis_url: str,
    periodic: Sequence[PeriodicJob],
    on_demand: Sequence[Job] = (),
    *,
    ready: Callable[[], None],
    stop: asyncio.Event,
    dead_letters: DeadLetterSink | None = None,
    count: Count = count_nothing,
    lease: float = _LEASE,
) -> None:
    """Do jobs until `stop` is set, then finish those under way, for 10 s at most.

    Raises `redis.RedisError` when the queue is lost.

    Parameters
    ----------
    dead_letters: takes jobs that are given up; without, they are lost.
    count: told what has become of each try.
    lease: seconds after which another worker takes over what one that has died was doing.
    """
    workers: list[Worker] = []
    if periodic:
        redis = _client(redis_url, QUEUE)
        workers.append(
            _worker(redis, _POLL_PERIODIC, lease, cron_jobs=[_cron(each, count) for each in periodic])
        )
    if on_demand:
        redis = _client(redis_url, ON_DEMAND)
        execution = Execution(on_demand, AttemptBook(redis), dead_letters, count)
        names = [each.name for each in on_demand]
        workers.append(
            _worker(redis, _POLL, lease, functions=_functions(names, execution, redis), names=names)
        )
    async with AsyncExitStack() as closing:
        for each in workers:
            closing.push_async_callback(_close, each)
        working = [asyncio.create_task(each.async_run(), name=each.queue_name) for each in workers]
        living = [asyncio.create_task(_say_alive(each, lease), name="worker-lease") for each in workers]
        for task in (*working, *living):
            closing.push_async_callback(_end, task)
        stopping = asyncio.create_task(stop.wait(), name="worker-stop")
        closing.callback(stopping.cancel)
        ready()
        await asyncio.wait((*working, *living, stopping), return_when=asyncio.FIRST_COMPLETED)
        for task in (*working, *living):
            if task.done():
                task.result()
        for each in workers:
            each.handle_sig_wait_for_completion(signal.SIGTERM)
        for task in working:
            with suppress(asyncio.CancelledError):
                await task


async def _say_alive(worker: Worker, lease: float) -> None:
    """Keep what is under way from other workers, and say that somebody looks at the queue."""
    while True:
        async with worker.pool.pipeline(transaction=False) as pipeline:
            for job_id in list(worker.job_tasks):
                pipeline.pexpire(in_progress_key_prefix + job_id, int(lease * 1_000))
            if worker.queue_name == ON_DEMAND:
                pipeline.set(_SEEN, _now())
            await pipeline.execute()
        await asyncio.sleep(lease / 3)


async def _end(task: asyncio.Task[None]) -> None:
    """What it may have raised meanwhile is of no interest any more: the worker is over."""
    task.cancel()
    await asyncio.wait([task])
    if not task.cancelled():
        task.exception()


async def _close(worker: Worker) -> None:
    """arq's own way would leave connections open when the queue is away."""
    for task in worker.tasks.values():
        task.cancel()
    await asyncio.gather(*worker.tasks.values(), return_exceptions=True)
    await worker.pool.aclose(close_connection_pool=True)


def _client(redis_url: str, queue: str) -> _Redis:
    return _Redis(
        ConnectionPool.from_url(redis_url, socket_connect_timeout=5.0),
        job_serializer=orjson.dumps,
        default_queue_name=queue,
    )


def _worker(redis: _Redis, poll: float, lease: float, *, names: Sequence[str] = (), **jobs: Any) -> Worker:
    worker = Worker(
        **jobs,
        queue_name=redis.default_queue_name,
        redis_pool=redis,
        job_serializer=_write,
        job_deserializer=lambda stored: _read(stored, names),
        poll_delay=poll,
        handle_signals=False,
        job_completion_wait=_DRAIN,
        # Long enough that no worker runs what another has just finished for the same minute.
        keep_result=90,
        health_check_interval=30,
    )
    worker.in_progress_timeout_s = lease
    return worker


def _read(stored: bytes, names: Sequence[str]) -> dict[str, Any]:
    """A job as arq wants it; one that it could only throw away is given another name."""
    try:
        job: dict[str, Any] = orjson.loads(stored)
        if not names:
            return job
        name, [payload], left_at = str(job["f"]), job["a"], int(job["et"])
        if not isinstance(payload, dict):
            raise TypeError("a payload is an object")
    except (ValueError, TypeError, KeyError):
        return _for_arq(_OTHER, _Left(None, None), 0)
    return _for_arq(name if name in names else _OTHER, _Left(name, payload), left_at)


def _for_arq(function: str, left: _Left, left_at: int) -> dict[str, Any]:
    return {"f": function, "a": (left,), "k": {}, "t": None, "et": left_at}


def _write(result: dict[str, Any]) -> bytes:
    """What a job was given, and what it has raised, stay out of what is kept of it."""
    return orjson.dumps(result, default=lambda each: type(each).__name__)


def _functions(names: Sequence[str], execution: Execution, redis: SingleRedis) -> list[Function]:
    async def run(ctx: dict[Any, Any], left: _Left) -> None:
        job_id, tries = ctx["job_id"], ctx["job_try"]
        name = left.name or job_id.partition(":")[0][:_LONGEST_NAME] or _OTHER
        try:
            later = await execution.run(LeftJob(name, job_id, left.payload, tries))
            if later is not None and not later.is_try:
                await redis.decr(retry_key_prefix + job_id)
        except asyncio.CancelledError:
            # A worker that is told to stop has not died under it.
            with suppress(RedisError, OSError):
                await redis.decr(retry_key_prefix + job_id)
            raise
        except (RedisError, OSError):
            # The queue is away, and the worker ends.
            raise RetryJob from None
        if later is not None:
            raise Retry(timedelta(seconds=later.seconds))

    return [
        func(run, name=name, timeout=_NO_TIMEOUT, keep_result=0, max_tries=_NO_MOST_TRIES)
        for name in (*names, _OTHER)
    ]


def _cron(job: PeriodicJob, count: Count) -> CronJob:
    async def run(ctx: dict[Any, Any], *args: Any, **kwargs: Any) -> None:
        try:
            async with asyncio.timeout(job.timeout):
                await job.run()
        except Exception:
            logger.exception("the periodic job %s has failed", job.name)
            count(job.name, "failed")
        else:
            count(job.name, "done")

    return cron(
        run,
        name=job.name,
        second=0,
        run_at_startup=True,
        unique=True,
        timeout=job.timeout + _BEYOND_TIMEOUT,
        max_tries=3,
    )


def _now() -> int:
    return time.time_ns() // 1_000_000
