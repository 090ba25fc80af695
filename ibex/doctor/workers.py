"""The workers: whether one looks at the queue, and how much waits in it."""

import asyncio

from redis.exceptions import RedisError

from ibex.doctor.finding import Finding, ok, problem, warning
from ibex.serving.dependencies import connect_redis
from ibex.serving.errors import PreparationError
from ibex.settings import Settings
from ibex.workers import JobQueue, QueueState, is_unseen

# Seconds that a job which is due has waited, beyond the longest pause between two tries.
_LATE = 300.0
_REMEDY = "Start one with `ibex worker`, or `ibex serve` with `jobs` above 0."


def workers(settings: Settings, redis_url: str) -> Finding:
    queue = settings.queue_redis_url
    try:
        state = asyncio.run(_read_state(redis_url if queue is None else queue.get_secret_value()))
    except PreparationError:
        return problem("workers", "IBEX_QUEUE_REDIS_URL is not an address of Redis.", "Correct it.")
    except (RedisError, OSError) as error:
        if queue is None:
            return warning("workers", "Not examined: their queue is in Redis.", "Mend Redis first.")
        return problem(
            "workers", f"The job queue cannot be read: {type(error).__name__}.", "Check IBEX_QUEUE_REDIS_URL."
        )
    return judged(state)


def judged(state: QueueState) -> Finding:
    """What there is to say of a queue."""
    if is_unseen(state):
        seen = (
            "No worker has ever looked at the queue"
            if state.seen_seconds is None
            else f"No worker has looked at the queue for {state.seen_seconds:,.0f} s"
        )
        if not state.waiting:
            return warning("workers", f"{seen}; nothing waits in it.", _REMEDY)
        return problem("workers", f"{seen}, and {state.waiting:,} jobs wait in it.", _REMEDY)
    if state.oldest_seconds > _LATE:
        return warning(
            "workers",
            f"{state.waiting:,} jobs wait, the oldest for {state.oldest_seconds:,.0f} s.",
            "Start more workers, with `jobs` or `ibex worker`.",
        )
    return ok("workers", f"They look at the queue; {state.waiting:,} jobs wait.")


async def _read_state(url: str) -> QueueState:
    client = connect_redis(url)
    try:
        return await JobQueue(client).state()
    finally:
        await client.aclose()
